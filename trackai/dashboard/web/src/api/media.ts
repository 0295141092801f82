// Logs, histograms and files of one run, and files of several.

import { get, queryString, request } from "./client";
import type {
  AnyNumber,
  FilePath,
  FileRecord,
  FileSteps,
  FilesOfRun,
  Histogram,
  LogPage,
  SharedFilePaths,
} from "./types";

// A type, not an interface: only types are assignable to the record of `queryString`.
export type LogQuery = {
  metric: string;
  search?: string;
  limit: number;
  offset?: number;
  /** In place of an offset: begin with the last line up to this step or time. */
  from_step?: string;
  from_time?: string;
  run_steps?: "true";
};

export const getLog = (runId: number, query: LogQuery, signal?: AbortSignal): Promise<LogPage> =>
  get(`/api/runs/${runId}/log?${queryString(query)}`, signal);

export const getHistograms = (
  runId: number,
  metric: string,
  points: number,
): Promise<{ data: Histogram[]; total: number }> =>
  get(`/api/runs/${runId}/histograms?${queryString({ metric, points })}`);

export const listFilePaths = (runId: number, search: string): Promise<FilePath[]> =>
  get(`/api/runs/${runId}/file-paths?${queryString({ search, limit: 1000 })}`);

export const listFiles = (runId: number, path: string, limit: number): Promise<FileRecord[]> =>
  get(`/api/runs/${runId}/files?${queryString({ path, limit })}`);

/** The names under which at least one of the runs has files. */
export const listSharedPaths = (runIds: number[], search: string): Promise<SharedFilePaths> =>
  request("POST", "/api/files/paths", { run_ids: runIds, search });

/** The steps at which at least one of the runs has files of a name. */
export const listSharedSteps = (runIds: number[], path: string): Promise<FileSteps> =>
  request("POST", "/api/files/steps", { run_ids: runIds, path });

/** The files of each run at a step, or at the nearest step before it. */
export const compareFiles = (
  runIds: number[],
  path: string,
  step: AnyNumber | undefined,
): Promise<FilesOfRun[]> => request("POST", "/api/files/compare", { run_ids: runIds, path, step });

export const fileUrl = (id: number): string => `/api/files/${id}`;
export const pageUrl = (id: number): string => `/api/files/${id}/page`;
export const previewUrl = (id: number): string => `/api/files/${id}/preview`;
