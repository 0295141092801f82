// The search over everything, and the alerts of all projects.

import { get, queryString } from "./client";
import type { AlertPage, SearchHit } from "./types";

export async function searchNames(
  text: string,
  projectId: number | undefined,
  signal: AbortSignal,
): Promise<SearchHit[]> {
  const query = queryString({ text, project_id: projectId });
  return (await get<{ hits: SearchHit[] }>(`/api/search?${query}`, signal)).hits;
}

export interface AlertQuery {
  project_id?: number;
  level?: string;
  limit: number;
}

export const listAlerts = ({ project_id, level, limit }: AlertQuery): Promise<AlertPage> =>
  get(`/api/alerts?${queryString({ project_id, level, limit })}`);
