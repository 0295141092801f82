// Runs: listing, reading and changing them.

import { signal } from "@preact/signals";
import { get, queryString, request } from "./client";
import type {
  BulkProgress,
  ChoiceBody,
  Figures,
  GroupMembers,
  Run,
  RunDetails,
  RunList,
} from "./types";

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

export const runningPath = (projectId: number | undefined): string =>
  `/api/runs?${queryString({ project_id: projectId, state: "running", limit: 1000 })}`;

export async function listRunningIds(projectId: number | undefined): Promise<number[]> {
  const { runs } = await get<RunList>(runningPath(projectId));
  return runs.map((run) => run.id);
}

export const runName = (run: Pick<Run, "name" | "run_id">): string => run.name ?? run.run_id;

// A run that has logged nothing for longer may hang.
const STALLED_MS = 10 * 60_000;

/** Whether a running run has logged nothing for long. */
export const isStalled = (run: Pick<Run, "state" | "updated_at">): boolean =>
  run.state === "running" && Date.now() - Date.parse(run.updated_at) > STALLED_MS;

/** The filter of runs with these ids, also archived ones and those in the trash. */
export const idFilter = (ids: number[]): string =>
  `(${ids.map((id) => `id = ${id}`).join(" or ")}) and (trashed = true or trashed = false)`;

export const renameRun = (id: number, name: string): Promise<Run> =>
  request("PATCH", runPath(id), { name });

export const describeRun = (
  id: number,
  change: { notes?: string | null; tags?: string[] },
): Promise<Run> => request("PATCH", runPath(id), change);

/** What to do with all chosen runs. */
export type BulkAction =
  | { type: "tag"; add?: string[]; remove?: string[] }
  | { type: "move"; project: string }
  | { type: "delete" }
  | { type: KeepVerb };

/** To the archive, out of it, to the trash, and out of it. */
export type KeepVerb = "archive" | "unarchive" | "trash" | "restore";

/** The opposite, which undoes it. */
export const UNDO: Record<KeepVerb, KeepVerb> = {
  archive: "unarchive",
  unarchive: "archive",
  trash: "restore",
  restore: "trash",
};

/** Counts what this page has changed; lists elsewhere, such as of alerts, follow it. */
export const ownChanges = signal(0);

/** One step of a change of all chosen runs; the next step needs its cursor. */
export const changeRuns = (
  choice: ChoiceBody,
  action: BulkAction,
  cursor: number,
  signal: AbortSignal,
): Promise<BulkProgress> =>
  request("POST", "/api/runs/bulk", { ...choice, action, cursor }, signal);

/** The row ids of the runs of a project that match a filter, the oldest first. */
export async function listMatchingIds(
  projectId: number,
  filter: string,
  signal: AbortSignal,
): Promise<number[]> {
  const body = { select: { project_id: projectId, filter }, group_by: "all" };
  const answer = await request<{ groups: GroupMembers[] }>(
    "POST",
    "/api/runs/groups",
    body,
    signal,
  );
  return answer.groups[0]?.run_ids ?? [];
}

/** The address from which chosen runs are downloaded. */
export function exportPath(choice: ChoiceBody): string {
  const ids = (list: number[]) => list.join(",");
  if ("run_ids" in choice)
    return `/api/runs/export?${queryString({ run_ids: ids(choice.run_ids) })}`;
  const { project_id, filter, include, exclude } = choice.select;
  const lists = { include: ids(include), exclude: ids(exclude) };
  return `/api/runs/export?${queryString({ project_id, filter, ...lists })}`;
}
