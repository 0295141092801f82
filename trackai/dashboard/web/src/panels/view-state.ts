// The view that is shown, its unsaved changes, and the dialog that is open.

import { signal } from "@preact/signals";
import { usePolled } from "../api/polling";
import { getView, type Layout, type View } from "../api/views";
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
