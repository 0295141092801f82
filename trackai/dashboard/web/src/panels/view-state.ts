// The view that is shown, its unsaved changes, and the dialog that is open.

import { batch, signal } from "@preact/signals";
import { useLayoutEffect } from "preact/hooks";
import { usePolled } from "../api/polling";
import { getView, type Layout, type View } from "../api/views";
import { replaceParameters, viewParameters } from "../view/address";
import type { Change } from "../view/parsing";

const POLL_MS = 10_000;

/** A view as it is being changed; `version` is the one that it was made from. */
export const drafts = signal<ReadonlyMap<number, View>>(new Map());
/** The views as this page has saved them, until they are polled. */
const saved = signal<ReadonlyMap<number, View>>(new Map());

// The browser asks before it leaves a page with unsaved changes.
const askFirst = (event: Event) => event.preventDefault();

export type ViewDialogName = "new" | "copy" | "import" | "delete";
export const openDialog = signal<ViewDialogName | undefined>(undefined);

export interface ShownView {
  view: View | undefined;
  error: string;
  notFound: boolean;
}

/** The view with an id in the address, in its latest version. */
export function useView(projectId: number, id: number | undefined): ShownView {
  const {
    data,
    error = "",
    notFound = false,
  } = usePolled<View | null>(
    async () => (id === undefined ? null : await getView(id)),
    id === undefined ? 0 : POLL_MS,
    [id],
  );
  const polled = data?.id === id ? (data ?? undefined) : undefined;
  const own = id === undefined ? undefined : saved.value.get(id);
  const view = own && own.version >= (polled?.version ?? 0) ? own : polled;
  const isOfOther = view !== undefined && view.project_id !== projectId;
  return {
    view: isOfOther ? undefined : view,
    error,
    notFound: notFound || isOfOther,
  };
}

function withEntry<V>(map: ReadonlyMap<number, V>, id: number, value: V | undefined) {
  const changed = new Map(map);
  if (value === undefined) changed.delete(id);
  else changed.set(id, value);
  return changed;
}

export function setDraft(id: number, draft: View | undefined): void {
  drafts.value = withEntry(drafts.value, id, draft);
  if (drafts.value.size > 0) addEventListener("beforeunload", askFirst);
  else removeEventListener("beforeunload", askFirst);
}

export function changeDraft(id: number, change: (layout: Layout) => Layout): void {
  const draft = drafts.peek().get(id);
  if (draft) setDraft(id, { ...draft, layout: change(draft.layout) });
}

/** Show the view as it was saved, until it is polled. */
export function remember(view: View): void {
  saved.value = withEntry(saved.value, view.id, view);
}

/** The rows of the table before a view without any is shown: they stay. */
export const rowsBefore: { id?: number; rows?: Change } = {};

export function forgetView(id: number): void {
  setDraft(id, undefined);
  saved.value = withEntry(saved.value, id, undefined);
}

// Before the name of a baseline that does not exist, in place of its id.
export const MISSING = "?";

/** The parameters that a view sets. */
export function parametersOf({ layout: { rows }, baseline_id }: View): Record<string, string> {
  if (!rows) return {};
  const { filter, archived, sort_by, sort_order, group_by, baseline } = rows;
  const all = {
    filter,
    show: archived ? "archived" : "",
    sort: sort_by,
    order: sort_order === "asc" ? "asc" : "",
    by: group_by,
    base: baseline ? String(baseline_id ?? MISSING + baseline.name) : "",
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ""));
}

/** The view whose rows the table shows. */
const appliedView = signal<number | undefined>(undefined);

/** Show the rows of a view in the table; returns whether it is known which rows these are. */
export function useRowsOf(id: number | undefined, { view, error, notFound }: ShownView): boolean {
  const parameters = view ? parametersOf(view) : {};
  useLayoutEffect(() => {
    if (!view) return;
    batch(() => {
      viewParameters.value = parameters;
      appliedView.value = view.id;
      if (rowsBefore.id === view.id && !view.layout.rows) replaceParameters(rowsBefore.rows ?? {});
      rowsBefore.id = undefined;
    });
    return () => {
      viewParameters.value = {};
      appliedView.value = undefined;
    };
  }, [view?.id, JSON.stringify(parameters)]);
  return id === undefined || appliedView.value === id || error !== "" || notFound;
}
