// The parameters of the address as typed values.

import { computed, type ReadonlySignal, signal } from "@preact/signals";
import { params, textParameter } from "./address";
import { type Choice, parseChoice } from "./choice";
import { onShelf, toFilter } from "./filter-text";
import { parseId, parseLimits, parseList, parseRange, parseSmoothing, parseXAxis } from "./parsing";

const parameter = <T>(name: string, parse: (text: string | null) => T): ReadonlySignal<T> =>
  computed(() => parse(params.value.get(name)));

const isLog = (text: string | null): boolean => text === "log";

export const projectId = parameter("project", parseId);
export const runId = parameter("run", parseId);
export const isComparing = parameter("view", (text) => text === "compare");
export const isShowingMedia = parameter("view", (text) => text === "media");
/** Whether the page shows what all matching runs say about a metric. */
export const isSweep = parameter("view", (text) => text === "sweep");
/** Whether the page is the table of a project's runs, with their charts. */
export const isTable = computed(
  () =>
    projectId.value !== undefined &&
    runId.value === undefined &&
    !(isComparing.value || isShowingMedia.value || isSweep.value),
);

/** Which runs are shown besides the usual ones or in their place: "archived", "trash" or "". */
export const shelf = textParameter("show");

/** The filter as it was typed, and as it is sent to the server. */
export const filterText = textParameter("filter");
export const filter = computed(() => onShelf(toFilter(filterText.value), shelf.value));
/** What the server says about a filter that it could not read; "" if it could. */
export const filterProblem = signal("");
export const sortField = textParameter("sort", "created_at");
export const sortOrder = textParameter("order", "desc");
export { columns } from "./table-columns";
/** The chosen runs; undefined while the user has chosen none. */
export const choice = computed(() => parseChoice(params.value));
/** The runs that the table shows; undefined on other pages. */
export const shownChoice = signal<Choice | undefined>(undefined);

/** The run that the others in the table are compared with. */
export const baselineId = parameter("base", parseId);

/** The fields by which the table groups runs, separated by commas, and the open groups' filters. */
export const groupBy = textParameter("by");
export const openGroups = parameter("open", parseList);

/** The view whose panels are shown in place of a chart for each metric. */
export const viewId = parameter("panels", parseId);

export const metricSearch = textParameter("metrics");
export const xAxis = parameter("x", parseXAxis);
export const smoothing = parameter("smooth", parseSmoothing);
export const logY = parameter("scale", isLog);
export const logX = parameter("xscale", isLog);
export const clipOutliers = parameter("clip", (text) => text !== "0");
/** The metric whose chart fills the screen. */
export const fullScreenPath = computed(() => params.value.get("full") ?? undefined);
/** The zoomed part of the x axis. */
export const zoomRange = parameter("range", parseRange);
/** The ranges of y axes that were set by hand, by metric. */
export const yLimits = parameter("yrange", parseLimits);
/** The sections of charts that were closed, and those that were opened, by hand. */
export const closedSections = parameter("closed", parseList);
export const openedSections = parameter("opened", parseList);
/** The keys of hidden lines; the page of a run always shows its line. */
export const hiddenLines = computed(() =>
  runId.value === undefined ? parseList(params.value.get("hide")) : [],
);
/** The field by whose groups charts show means; by default that of the table. */
export const meanBy = computed(() => {
  const field = params.value.get("mean") ?? groupBy.value;
  return field === "none" ? "" : field;
});

export type Band = "deviation" | "error" | "range" | "quartiles";
/** What the bands of groups show. */
export const band = parameter(
  "band",
  (text): Band =>
    text === "error" || text === "range" || text === "quartiles" ? text : "deviation",
);
