// Runs: listing, reading and changing them.

import { get, queryString, request } from "./client";
import type { Figures, Run, RunDetails, RunList } from "./types";

export const runPath = (id: number): string => `/api/runs/${id}`;
export const configPath = (id: number): string => `/api/runs/${id}/config`;
export const figuresPath = (id: number): string => `/api/runs/${id}/figures`;
export const metricNamesPath = (id: number): string => `/api/metrics/runs/${id}`;

export const getRun = (id: number): Promise<Run> => get(runPath(id));
export const getConfig = (id: number): Promise<Record<string, unknown>> => get(configPath(id));
export const getFigures = (id: number): Promise<Figures[]> => get(figuresPath(id));
export const getMetricNames = (id: number): Promise<string[]> => get(metricNamesPath(id));
export const getDetails = (id: number): Promise<RunDetails> => get(`/api/runs/${id}/details`);

// A type, not an interface: only types are assignable to the record of `queryString`.
export type RunsQuery = {
  project_id?: number;
  filter?: string;
  sort_by?: string;
  sort_order?: string;
  columns?: string;
  limit: number;
  offset: number;
  /** The `next_cursor` of the previous page, in place of an offset. */
  cursor?: string;
};

export const runsPath = (query: RunsQuery): string => `/api/runs?${queryString(query)}`;

export const listRuns = (query: RunsQuery, signal?: AbortSignal): Promise<RunList> =>
  get(runsPath(query), signal);

export async function listRunningIds(projectId: number | undefined): Promise<number[]> {
  const query = queryString({ project_id: projectId, state: "running", limit: 1000 });
  const { runs } = await get<RunList>(`/api/runs?${query}`);
  return runs.map((run) => run.id);
}

export const runName = (run: Pick<Run, "name" | "run_id">): string => run.name ?? run.run_id;

export const idFilter = (ids: number[]): string => ids.map((id) => `id = ${id}`).join(" or ");

export const renameRun = (id: number, name: string): Promise<Run> =>
  request("PATCH", runPath(id), { name });

export const deleteRuns = (ids: number[]): Promise<unknown> =>
  request("POST", "/api/runs/delete", { run_ids: ids });

export const changeTags = (
  ids: number[],
  change: { add?: string[]; remove?: string[] },
): Promise<unknown> => request("POST", "/api/runs/tags", { run_ids: ids, ...change });
