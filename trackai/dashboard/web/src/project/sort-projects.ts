// The order of projects on the start page.

import type { ProjectSummary } from "../api/types";

/** Running projects in the server's order, which is stable, then others by their last update. */
export function sortProjects(projects: ProjectSummary[]): ProjectSummary[] {
  const running = projects.filter((project) => project.running_runs > 0);
  const finished = projects.filter((project) => project.running_runs === 0);
  finished.sort((left, right) => Date.parse(right.updated_at) - Date.parse(left.updated_at));
  return [...running, ...finished];
}
