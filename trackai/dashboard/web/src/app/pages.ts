// The pages. A page is loaded when the address first names it.

import type { ComponentType } from "preact";
import { params } from "../view/address";
import { MissingProject } from "../view/missing-project";
import { isComparing, isShowingMedia, isSweep, projectId, runId } from "../view/parameters";

/** The page of a run or of a project; that of all projects has no use for an id. */
type Page = ComponentType<{ id: number }>;

export const PAGES = {
  projects: async (): Promise<Page> => (await import("../project/project-list")).ProjectList,
  project: async (): Promise<Page> => (await import("../project/project-page")).ProjectPage,
  run: async (): Promise<Page> => (await import("../run/run-page")).RunPage,
  comparison: async (): Promise<Page> => (await import("../compare/compare-page")).ComparePage,
  media: async (): Promise<Page> => (await import("../media/media-page")).MediaPage,
  sweep: async (): Promise<Page> => (await import("../sweep/sweep-page")).SweepPage,
  named: async (): Promise<Page> => MissingProject,
};

export type PageName = keyof typeof PAGES;

/** What the address shows. */
export function shownPage(): { name: PageName; id: number } {
  const [run, project] = [runId.value, projectId.value];
  // No run has the id 0: the page of a run says that it was not found.
  if (run !== undefined || params.value.get("run")) return { name: "run", id: run ?? 0 };
  if (project === undefined) {
    return { name: params.value.get("project") ? "named" : "projects", id: 0 };
  }
  return { name: pageOfProject(), id: project };
}

function pageOfProject(): PageName {
  if (isShowingMedia.value) return "media";
  if (isSweep.value) return "sweep";
  return isComparing.value ? "comparison" : "project";
}
