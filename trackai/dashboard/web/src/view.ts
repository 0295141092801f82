// What is looked at: all of it is in the address, so that a link shows the same.

import { computed, signal } from "@preact/signals";
import type { XAxis } from "./api";
import { elsewhere, places } from "./scrolled";
import { asFilter } from "./search";

const search = signal(location.search);

addEventListener("popstate", () => {
  search.value = location.search;
});

const params = computed(() => new URLSearchParams(search.value));

const number = (name: string) =>
  computed(() => {
    const value = Number(params.value.get(name));
    return Number.isInteger(value) && value > 0 ? value : undefined;
  });
export const text = (name: string, fallback = "") =>
  computed(() => params.value.get(name) ?? fallback);

export const projectId = number("project");
export const runId = number("run");
/** Whether the chosen runs are put side by side. */
export const comparing = computed(() => params.value.get("view") === "compare");
/** As it was typed, and as the server is asked. */
export const filter = text("filter");
export const filterAsked = computed(() => asFilter(filter.value));
export const sort = text("sort", "created_at");
export const order = text("order", "desc");
export const metricSearch = text("metrics");
export const xAxis = computed<XAxis>(() => {
  const x = params.value.get("x");
  return x === "time" || x === "relative" ? x : "step";
});
export const smoothing = computed(() =>
  Math.min(0.99, Math.max(0, Number(params.value.get("smooth")) || 0)),
);
export const logScale = computed(() => params.value.get("scale") === "log");
export const logX = computed(() => params.value.get("xscale") === "log");
export const clipped = computed(() => params.value.get("clip") === "1");
/** The chart that fills the screen. */
export const fullPath = computed(() => params.value.get("full") ?? undefined);
/** Lines that charts leave out, by their keys; on a run's own page its line is there to be seen. */
export const hidden = computed(() =>
  runId.value === undefined ? (params.value.get("hide") ?? "").split("\n").filter(Boolean) : [],
);
/** Sections of charts that are closed. */
export const closed = computed(() =>
  (params.value.get("closed") ?? "").split("\n").filter(Boolean),
);
/** By which field charts show means of groups; as the table is grouped, unless it is said. */
export const meanOf = computed(() => {
  const field = params.value.get("mean") ?? params.value.get("by") ?? "";
  return field === "none" ? "" : field;
});
/** What part of the x axis is looked at. */
export const range = computed<{ axis: string; min: number; max: number } | undefined>(() => {
  const [axis, low, high] = (params.value.get("range") ?? "").split(":");
  const [min, max] = [Number(low), Number(high)];
  return axis && low && high && min < max ? { axis, min, max } : undefined;
});
/** undefined: the newest runs, as long as nobody has chosen. */
export const selected = computed<number[] | undefined>(() => {
  const value = params.value.get("runs");
  if (value === null) return undefined;
  return value
    .split(",")
    .map(Number)
    .filter((id) => Number.isInteger(id) && id > 0);
});
export const columns = computed(() =>
  (params.value.get("columns") ?? "").split("\n").filter(Boolean),
);

/** By which field the table's runs are grouped, and which of the groups, by their filters, are open. */
export const groupBy = text("by");
export const openGroups = computed(() =>
  (params.value.get("open") ?? "").split("\n").filter(Boolean),
);

type Change = Record<string, string | number | undefined>;

// What a project is looked at with; the page of one of its runs, or of some beside each other, keeps it for the way back.
const KEPT = [
  "filter",
  "sort",
  "order",
  "by",
  "open",
  "columns",
  "runs",
  "metrics",
  "x",
  "smooth",
  "scale",
  "xscale",
  "clip",
  "mean",
  "closed",
  "range",
  "hide",
];

/** Another page of the project, which knows the view of it. */
export function within(change: Change): Change {
  const found: Change = {};
  for (const name of KEPT) found[name] = params.value.get(name) ?? undefined;
  return { ...change, ...found };
}

/** The address with some parameters changed; undefined takes one away. */
export function address(change: Change, keep = true): string {
  const next = keep ? new URLSearchParams(search.value) : new URLSearchParams();
  for (const [name, value] of Object.entries(change)) {
    if (value === undefined || value === "") next.delete(name);
    else next.set(name, String(value));
  }
  const query = next.toString();
  return query ? `/?${query}` : "/";
}

/** Go somewhere; a change that is typed or dragged replaces the entry in the history. */
export function go(change: Change, options: { keep?: boolean; replace?: boolean } = {}): void {
  const { keep = true, replace = false } = options;
  const url = address(change, keep);
  // Another page of the project keeps all of them, for the way back by its links.
  const next = keep ? elsewhere() : change.project === projectId.peek() ? places() : null;
  if (!replace) history.replaceState(places(), "");
  history[replace ? "replaceState" : "pushState"](next, "", url);
  search.value = location.search;
}

/** For links: a plain click stays on the page, any other does what the browser does. */
export function follow(event: MouseEvent, change: Change, keep = false): void {
  if (event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  go(change, { keep });
}
