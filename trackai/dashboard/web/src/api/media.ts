// Logs, histograms and files of one run.

import { get, queryString } from "./client";
import type { FilePath, FileRecord, Histogram, LogPage } from "./types";

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

export const fileUrl = (id: number): string => `/api/files/${id}`;
export const pageUrl = (id: number): string => `/api/files/${id}/page`;
export const previewUrl = (id: number): string => `/api/files/${id}/preview`;
