// What all runs that match a filter say about a metric.

import { get, queryString } from "./client";
import type { State, Value } from "./types";

export interface ParameterImportance {
  field: string;
  kind: "number" | "category";
  runs: number;
  values: number;
  /** null without a forest. */
  importance: number | null;
  correlation: number | null;
}

export interface Importance {
  target: string;
  matching: number;
  sampled: number;
  runs: number;
  missing: number;
  nans: number;
  infinite: number;
  method: string;
  r_squared: number | null;
  problem: string;
  parameters: ParameterImportance[];
  unused: { field: string; reason: string }[];
}

/** Values of runs by field, the newest run first. */
export interface RunColumns {
  total: number;
  run_ids: number[];
  names: string[];
  states: State[];
  values: Record<string, Value[]>;
}

export const getImportance = (
  projectId: number,
  target: string,
  filter: string,
): Promise<Importance> =>
  get(`/api/projects/${projectId}/importance?${queryString({ target, filter })}`);

export const getRunColumns = (
  projectId: number,
  columns: string[],
  filter: string,
): Promise<RunColumns> =>
  get(`/api/projects/${projectId}/values?${queryString({ columns: columns.join(","), filter })}`);
