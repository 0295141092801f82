// Projects, and the columns and groups of their runs.

import { compareNatural } from "../ui/values";
import { get, queryString, request } from "./client";
import { ownChanges } from "./runs";
import type { Columns, Project, ProjectSummary, RunGroup } from "./types";

export const projectPath = (id: number): string => `/api/projects/${id}`;
export const columnsPath = (id: number): string => `/api/projects/${id}/columns`;

export const listProjects = (): Promise<ProjectSummary[]> =>
  get("/api/projects?counts=true&limit=1000");

const MAX_PROJECTS = 1000;

/** The id of the project with a name, or else with this slug; null without one. */
export async function findProject(name: string): Promise<number | null> {
  let slugged: number | null = null;
  for (let offset = 0; ; offset += MAX_PROJECTS) {
    const query = queryString({ limit: MAX_PROJECTS, offset });
    const page = await get<Project[]>(`/api/projects?${query}`);
    const named = page.find((project) => project.name === name);
    if (named) return named.id;
    slugged ??= page.find((project) => project.project_id === name)?.id ?? null;
    if (page.length < MAX_PROJECTS) return slugged;
  }
}

export const renameProject = (id: number, name: string): Promise<unknown> =>
  request("PATCH", projectPath(id), { name });

/** Delete a project with all its runs. */
export async function deleteProject(id: number): Promise<void> {
  await request("DELETE", projectPath(id));
  ownChanges.value += 1;
}

export const getProject = (id: number): Promise<ProjectSummary> => get(projectPath(id));

/** The columns that the runs of a project have, in natural order. */
export async function getColumns(id: number): Promise<Columns> {
  const { config, metrics, environment } = await get<Columns>(columnsPath(id));
  return {
    config: config.sort((left, right) => compareNatural(left.key, right.key)),
    metrics: metrics.sort((left, right) => compareNatural(left.path, right.path)),
    environment: environment.sort((left, right) => compareNatural(left.key, right.key)),
  };
}

export interface GroupsQuery {
  by: string;
  filter?: string;
  columns?: string;
  limit: number;
}

export const listGroups = (
  id: number,
  { by, filter, columns, limit }: GroupsQuery,
  signal?: AbortSignal,
): Promise<{ groups: RunGroup[]; total: number }> =>
  get(`/api/projects/${id}/groups?${queryString({ by, filter, columns, limit })}`, signal);
