import { expect, test } from "vitest";
import type { ProjectSummary } from "../../src/api/types";
import { sortProjects } from "../../src/project/sort-projects";

test("running projects come first in their order, then the others by their last update", () => {
  const project = (name: string, running_runs: number, day: number) =>
    ({ name, running_runs, updated_at: `2024-01-0${day}T00:00:00Z` }) as ProjectSummary;
  const projects = [
    project("old", 0, 1),
    project("running", 1, 2),
    project("new", 0, 5),
    project("also running", 3, 9),
  ];
  const names = sortProjects(projects).map(({ name }) => name);
  expect(names).toEqual(["running", "also running", "new", "old"]);
});
