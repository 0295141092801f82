// The HTTP API: what it answers, and how to ask.

import { signal } from "@preact/signals";
import { natural } from "./format";
import { keyNeeded } from "./signin";

export type State = "running" | "completed" | "failed";
export type Value = number | string | boolean | null;

export interface Project {
  id: number;
  name: string;
  project_id: string;
  created_at: string;
  updated_at: string;
}

export interface ProjectSummary extends Project {
  total_runs: number;
  running_runs: number;
  completed_runs: number;
  failed_runs: number;
}

export interface Run {
  id: number;
  project_id: number;
  run_id: string;
  name: string | null;
  group_name: string | null;
  state: State;
  created_at: string;
  updated_at: string;
  finished_at: string | null;
  notes: string | null;
  tags: string[];
  values?: Record<string, Value>;
}

export interface RunPage {
  runs: Run[];
  total: number;
  has_more: boolean;
}

export interface Columns {
  config: { key: string; field: string; runs: number }[];
  metrics: { path: string; field: string; runs: number; kind: string }[];
}

export interface Bucket {
  step: number | null;
  step_last: number | null;
  count: number;
  non_finite: number;
  first: Value;
  last: Value;
  min?: number | null;
  max?: number | null;
  mean?: number | null;
  smoothed?: number | null;
  x?: number | string;
  x_last?: number | string;
}

export interface ChartData {
  data: Bucket[];
  raw: boolean;
  x: XAxis;
}

export type XAxis = "step" | "time" | "relative";

export interface Figures {
  path: string;
  axis: "step" | "time";
  kind: string;
  points: number;
  nan_points: number;
  last: Value;
  last_step: number | null;
  min: number | null;
  min_step: number | null;
  max: number | null;
  max_step: number | null;
  mean: number | null;
}

export interface Range {
  min: number;
  max: number;
}

/** What the server said no to. */
export class Refused extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/** Nothing came back: the server has been stopped, or the way to it is cut. */
export class NoAnswer extends Error {}

/** Whether the server does not answer. */
export const silent = signal(false);

const early = new Map<string, Promise<Response>>();

/** Ask what will be asked: the answer is on its way while the page is still being made. */
export function askEarly(...paths: string[]): void {
  for (const path of paths) {
    const answer = fetch(path);
    // Whoever asks is told what went wrong.
    answer.catch(() => undefined);
    early.set(path, answer);
  }
}

export async function ask<T>(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<T> {
  const begun = method === "GET" ? early.get(path) : undefined;
  early.delete(path);
  const response = await heard(
    begun ??
      fetch(path, {
        method,
        signal,
        headers: body === undefined ? {} : { "Content-Type": "application/json" },
        body: body === undefined ? undefined : JSON.stringify(body),
      }),
  );
  const answer = await response.json();
  if (response.status === 401) keyNeeded.value = true;
  if (!response.ok) throw new Refused(answer.detail ?? response.statusText, response.status);
  return answer as T;
}

async function heard(asked: Promise<Response>): Promise<Response> {
  try {
    const response = await asked;
    silent.value = false;
    return response;
  } catch (problem) {
    // Browsers say it in many ways, but never as what it is when a question is taken back.
    if (!(problem instanceof TypeError)) throw problem;
    silent.value = true;
    throw new NoAnswer("The server does not answer");
  }
}

/** What to say of a problem where it came up: nothing where the whole page says that there is no answer. */
export function said(problem: unknown): string {
  if (problem instanceof NoAnswer) return "";
  return problem instanceof Error ? problem.message : String(problem);
}

/** Whether an answer says that there is no such thing. */
export const isGone = (problem: unknown): boolean =>
  problem instanceof Refused && problem.status === 404;

export function query(values: Record<string, string | number | undefined>): string {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== "") found.set(name, String(value));
  }
  return found.toString();
}

export const projects = (): Promise<ProjectSummary[]> =>
  ask("GET", "/api/projects?counts=true&limit=1000");
export const project = (id: number): Promise<ProjectSummary> => ask("GET", `/api/projects/${id}`);
export const columns = async (id: number): Promise<Columns> => {
  const { config, metrics } = await ask<Columns>("GET", `/api/projects/${id}/columns`);
  return {
    config: config.sort((one, other) => natural(one.key, other.key)),
    metrics: metrics.sort((one, other) => natural(one.path, other.path)),
  };
};
export const run = (id: number): Promise<Run> => ask("GET", `/api/runs/${id}`);
export const config = (id: number): Promise<Record<string, unknown>> =>
  ask("GET", `/api/runs/${id}/config`);
export const figures = (id: number): Promise<Figures[]> => ask("GET", `/api/runs/${id}/figures`);
export const metricNames = (id: number): Promise<string[]> => ask("GET", `/api/metrics/runs/${id}`);

export type RunsAsked = {
  project_id?: number;
  filter?: string;
  sort_by?: string;
  sort_order?: string;
  columns?: string;
  limit: number;
  offset: number;
};

export const runsAddress = (asked: RunsAsked): string => `/api/runs?${query(asked)}`;
export const runs = (asked: RunsAsked, signal?: AbortSignal): Promise<RunPage> =>
  ask("GET", runsAddress(asked), undefined, signal);

/** Which runs are being logged now. */
export const runningRuns = async (projectId: number | undefined): Promise<number[]> => {
  const page = await ask<RunPage>(
    "GET",
    `/api/runs?${query({ project_id: projectId, state: "running", limit: 1000 })}`,
  );
  return page.runs.map((one) => one.id);
};

export const rename = (id: number, name: string): Promise<Run> =>
  ask("PATCH", `/api/runs/${id}`, { name });
export const deleteRuns = (ids: number[]): Promise<unknown> =>
  ask("POST", "/api/runs/delete", { run_ids: ids });
export const changeTags = (
  run_ids: number[],
  change: { add?: string[]; remove?: string[] },
): Promise<unknown> => ask("POST", "/api/runs/tags", { run_ids, ...change });

export interface RunGroup {
  value: Value;
  runs: number;
  filter: string;
  means: Record<string, number | null>;
}

export const groups = (
  id: number,
  { by, filter, columns, limit }: { by: string; filter?: string; columns?: string; limit: number },
  signal?: AbortSignal,
): Promise<{ groups: RunGroup[]; total: number }> =>
  ask(
    "GET",
    `/api/projects/${id}/groups?${query({ by, filter, columns, limit })}`,
    undefined,
    signal,
  );
