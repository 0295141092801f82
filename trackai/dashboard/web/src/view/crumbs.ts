// Where the page is: its project, and its own name below the project.

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { keepingView, showingShelf } from "./address";
import { isTable, shelf } from "./parameters";
import type { Change } from "./parsing";

interface Crumbs {
  /** The row id of the project, and its name once it is known. */
  projectId: number | undefined;
  project: string | undefined;
  /** The name of a page below that of the project. */
  page: string | undefined;
}

const NOWHERE: Crumbs = { projectId: undefined, project: undefined, page: undefined };

/** What the header shows; the start page is in no project. */
export const crumbs = signal(NOWHERE);

/** The page of the project that leads to this one; for the trash, that of the other runs. */
export function projectPage(project: number): Change {
  const isTrash = isTable.value && shelf.value === "trash";
  return { ...keepingView({ project }), ...(isTrash && showingShelf(undefined)) };
}

export function useCrumbs(projectId: number | undefined, project?: string, page?: string): void {
  useEffect(() => {
    crumbs.value = { projectId, project, page };
  }, [projectId, project, page]);
  useEffect(
    () => () => {
      crumbs.value = NOWHERE;
    },
    [],
  );
}
