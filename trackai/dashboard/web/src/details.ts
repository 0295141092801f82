// What the page of one run asks for, besides its charts.

import { ask, query, type Run, type State } from "./api";

export interface Fork {
  uid: string;
  step: number | null;
  run: Run | null;
}

export interface Process {
  attempt: number;
  rank: number;
  host: string;
  pid: number;
  state: State | null;
  started_at: string;
  ended_at: string | null;
}

export interface Details {
  uid: string;
  forked_from: Fork | null;
  forks: Fork[];
  processes: Process[];
}

export interface LogLine {
  number: number;
  step: number | null;
  timestamp: string;
  text: string;
}

export interface LogPage {
  lines: LogLine[];
  total: number;
}

export interface Histogram {
  step: number | null;
  timestamp: string;
  value: unknown;
}

export interface FilePath {
  path: string;
  kind: string;
  files: number;
  size: number | null;
  first_step: number | null;
  last_step: number | null;
}

export interface FileRecord {
  id: number;
  path: string;
  kind: string;
  name: string;
  step: number | null;
  timestamp: string | null;
  size: number | null;
}

export const details = (id: number): Promise<Details> => ask("GET", `/api/runs/${id}/details`);

export const log = (
  id: number,
  asked: { metric: string; search?: string; limit: number; offset: number },
  signal?: AbortSignal,
): Promise<LogPage> => ask("GET", `/api/runs/${id}/log?${query(asked)}`, undefined, signal);

export const histograms = (
  id: number,
  metric: string,
  points: number,
): Promise<{ data: Histogram[]; total: number }> =>
  ask("GET", `/api/runs/${id}/histograms?${query({ metric, points })}`);

export const filePaths = (id: number, search: string): Promise<FilePath[]> =>
  ask("GET", `/api/runs/${id}/file-paths?${query({ search, limit: 1000 })}`);

export const files = (id: number, path: string, limit: number): Promise<FileRecord[]> =>
  ask("GET", `/api/runs/${id}/files?${query({ path, limit })}`);

export const fileAddress = (id: number): string => `/api/files/${id}`;
export const previewAddress = (id: number): string => `/api/files/${id}/preview`;
