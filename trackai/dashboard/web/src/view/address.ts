// The address holds the whole view, so that a link shows the same.

import { computed, type ReadonlySignal, signal } from "@preact/signals";
import { NO_CHOICE } from "./choice";
import { type Change, parseId, printAddress, UNSET } from "./parsing";
import { otherScrollPositions, scrollPositions } from "./scroll-positions";

const search = signal(location.search);

addEventListener("popstate", () => {
  search.value = location.search;
});

/** The parameters that the shown view sets, unless the address does. */
export const viewParameters = signal<Record<string, string>>({});

export const params = computed(() => {
  const all = new URLSearchParams(search.value);
  for (const [name, value] of Object.entries(viewParameters.value)) {
    if (!all.has(name)) all.set(name, value);
  }
  return all;
});

export const textParameter = (name: string, fallback = ""): ReadonlySignal<string> =>
  computed(() => {
    const text = params.value.get(name);
    return text === null || text === UNSET ? fallback : text;
  });

/** Without what a view keeps of the rows of the table. */
export const NO_ROWS = {
  filter: undefined,
  show: undefined,
  sort: undefined,
  order: undefined,
  by: undefined,
  base: undefined,
};

// What the pages of a run and of a comparison keep for the way back to the project.
const PROJECT_VIEW = [
  "filter",
  "show",
  "sort",
  "order",
  "by",
  "open",
  "columns",
  "pinned",
  "widths",
  "runs",
  "select",
  "except",
  "default",
  "base",
  "metrics",
  "x",
  "smooth",
  "scale",
  "xscale",
  "clip",
  "mean",
  "band",
  "closed",
  "opened",
  "range",
  "yrange",
  "hide",
  "panels",
];

/** What the address says of the rows of the table. */
export function ownRows(): Change {
  const own = new URLSearchParams(search.peek());
  const entries = Object.keys(NO_ROWS).map((name) => [name, own.get(name) ?? undefined]);
  return Object.fromEntries(entries);
}

/** The parameters of another page of the project, with the current view of the project. */
export function keepingView(change: Change): Change {
  const kept = PROJECT_VIEW.map((name) => [name, params.value.get(name) ?? undefined]);
  return { ...change, ...Object.fromEntries(kept) };
}

/** The archived or trashed runs of a project; what is chosen elsewhere is not there. */
export const showingShelf = (show: string | undefined): Change => ({
  ...NO_CHOICE,
  show,
  open: undefined,
});

/** Whether the page is a part of another one, such as a notebook, and has no header. */
export const isEmbedded = computed(() => params.value.get("embed") === "1");

/** The current address with some parameters changed. */
export const changedAddress = (change: Change): string =>
  printAddress(search.value, change, viewParameters.value);

/** The address of a page with these parameters only. */
export const pageAddress = (parameters: Change): string =>
  printAddress(isEmbedded.value ? "?embed=1" : "", parameters);

interface GoOptions {
  /** Keep the other parameters of the address. */
  keep?: boolean;
  /** Replace the entry of the history, as for a value that is being typed or dragged. */
  replace?: boolean;
}

/** Change the address without a new entry in the history. */
export const replaceParameters = (change: Change): void => go(change, { replace: true });

export function go(change: Change, { keep = true, replace = false }: GoOptions = {}): void {
  const url = keep ? changedAddress(change) : pageAddress(change);
  const sameProject = change.project === parseId(params.peek().get("project"));
  // Another page of the project keeps the positions, for links that lead back.
  const positions = keep ? otherScrollPositions() : sameProject ? scrollPositions() : null;
  if (!replace) history.replaceState(scrollPositions(), "");
  history[replace ? "replaceState" : "pushState"](positions, "", url);
  search.value = location.search;
}
