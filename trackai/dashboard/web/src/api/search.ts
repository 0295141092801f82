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
  /** Whether to list those of archived runs, too. */
  archived?: boolean;
  limit: number;
}

export const listAlerts = ({ archived, ...query }: AlertQuery): Promise<AlertPage> =>
  get(`/api/alerts?${queryString({ ...query, archived: archived ? "true" : undefined })}`);
