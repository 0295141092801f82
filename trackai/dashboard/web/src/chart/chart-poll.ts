// Fetches the data of a chart, and again while its runs are logging.

import { errorMessage } from "../api/client";
import { KnownCharts } from "../api/known-charts";
import { startPolling } from "../api/poller";
import { enqueue } from "../api/request-queue";
import type { ChoiceBody, Range, XAxis } from "../api/types";
import { toJson } from "../ui/json";
import { type ChartData, fetchChart, mergeRuns, stepsBetween } from "./chart-data";
import { type ChartAxis, metricOfAxis } from "./metric-axis";
import { isLastZoomed } from "./zoom";

const POLL_MS = 2000;
// Finished runs change only when they are resumed or imported again.
const POLL_FINISHED_MS = 30_000;

// Metrics without steps, as the server has answered; they are shown over time.
const pathsWithoutSteps = new Set<string>();

/** The x axis on which a metric is shown if `axis` is chosen. */
export function effectiveAxis(axis: ChartAxis, path: string, groupBy: string): ChartAxis {
  // Runs that started at different times have no common clock.
  const chosen = axis === "time" && groupBy ? "relative" : axis;
  return chosen === "step" && pathsWithoutSteps.has(path) ? "relative" : chosen;
}

/** What the server has sent: for the whole x axis, and for the zoomed range. */
interface KnownRanges {
  full: KnownCharts;
  zoomed: KnownCharts;
}

export interface ChartPoll {
  path: string;
  runIds: number[];
  axis: ChartAxis;
  zoom: Range | undefined;
  smoothing: number;
  /** Whether to smooth only what the server need not read for it. */
  ifKnown?: boolean;
  groupBy: string;
  choice: ChoiceBody;
  quartiles: boolean;
  logX: boolean;
  /** Whether no data is shown yet. */
  isFirst: boolean;
  /** Read at each request: the width of the chart, and the runs that are logging if known. */
  width: () => number;
  running: () => number[] | undefined;
  /** The data of the whole x axis, and the data to show. */
  onFullChart: (chart: ChartData) => void;
  onChart: (chart: ChartData) => void;
  onError: (message: string) => void;
}

/** Start polling; returns a function that stops it. */
export function pollChart(poll: ChartPoll): () => void {
  const { runIds } = poll;
  const known = { full: new KnownCharts(), zoomed: new KnownCharts() };
  let shown = "";
  let last: ChartData | undefined;
  let lastRunning: number[] | undefined;
  let lastComplete = 0;

  const dueRuns = (): number[] => {
    const running = poll.running();
    const isStale = Date.now() - lastComplete >= POLL_FINISHED_MS;
    if (!last || !lastRunning || !running || isStale) return runIds;
    // Groups may have more runs than are drawn one by one.
    if (poll.groupBy) return lastRunning.length + running.length > 0 ? runIds : [];
    const active = runIds.filter((id) => lastRunning?.includes(id) || running.includes(id));
    return active.length > 0 && dependsOnAllRuns(poll) ? runIds : active;
  };
  const update = async (due: number[], signal: AbortSignal) => {
    const isComplete = due.length === runIds.length;
    const running = poll.running();
    try {
      let fetched: ChartData | undefined;
      // Smoothing may read every point, which takes seconds: until then the buckets are shown.
      if (poll.isFirst && !last && poll.smoothing > 0) {
        fetched = await fetchQuickly(poll, due, known, signal);
        if (!isSmoothed(fetched)) {
          poll.onChart({ ...fetched, isUnsmoothed: true });
          fetched = undefined;
        }
      }
      fetched ??= await fetchZoomed(poll, due, known, signal, (fresh) =>
        isComplete ? fresh : mergeRuns(runIds, last, fresh),
      );
      last = fetched;
      lastRunning = running;
      if (isComplete) lastComplete = Date.now();
      // An unchanged chart is not redrawn, so nothing under the cursor moves.
      const text = toJson([[...fetched.runs], fetched.groups]);
      if (text !== shown) poll.onChart(fetched);
      shown = text;
      poll.onError("");
    } catch (problem) {
      if (!signal.aborted) poll.onError(errorMessage(problem));
    }
  };
  return startPolling(async (signal) => {
    const due = last && document.hidden ? [] : dueRuns();
    const started = performance.now();
    if (due.length > 0) await update(due, signal);
    // The chart of hundreds of runs leaves the server time for other requests.
    return Math.max(POLL_MS, poll.groupBy ? 4 * (performance.now() - started) : 0);
  });
}

/** Whether the data of a run depends on the other runs: they share buckets or a range of steps. */
const dependsOnAllRuns = ({ groupBy, zoom, axis }: ChartPoll): boolean =>
  groupBy !== "" || (zoom !== undefined && axis !== "step");

/** Fetch the data of the zoomed range; on other axes than steps, find its steps first. */
async function fetchZoomed(
  poll: ChartPoll,
  runIds: number[],
  known: KnownRanges,
  signal: AbortSignal,
  merge: (fresh: ChartData) => ChartData,
): Promise<ChartData> {
  const { axis, zoom } = poll;
  if (zoom && axis === "step") {
    const margin = (zoom.max - zoom.min) * 0.02;
    const steps = { min: zoom.min - margin, max: zoom.max + margin };
    return merge(await fetchOverSteps(poll, runIds, known, signal, steps));
  }
  const full = merge(await fetchOverSteps(poll, runIds, known, signal));
  poll.onFullChart(full);
  const steps = zoom && stepsBetween(full, zoom);
  return steps ? fetchRuns(poll, runIds, axis, known, signal, steps) : full;
}

/** Fetch a chart, smoothed only if that is quick. */
const fetchQuickly = (
  poll: ChartPoll,
  runIds: number[],
  known: KnownRanges,
  signal: AbortSignal,
): Promise<ChartData> =>
  fetchZoomed(
    { ...poll, ifKnown: true, smoothing: poll.groupBy ? 0 : poll.smoothing },
    runIds,
    known,
    signal,
    (fresh) => fresh,
  );

const isSmoothed = ({ runs }: ChartData): boolean =>
  runs.size > 0 && [...runs.values()].every((chart) => chart.smoothed_within !== undefined);

/** Fetch a chart over steps, or over time if the metric turns out to have none. */
async function fetchOverSteps(
  poll: ChartPoll,
  runIds: number[],
  known: KnownRanges,
  signal: AbortSignal,
  steps?: Range,
): Promise<ChartData> {
  const chart = await fetchRuns(poll, runIds, poll.axis, known, signal, steps);
  const hasNoSteps = [...chart.runs.values()].some((runChart) => runChart.x === "time");
  if (poll.axis !== "step" || !hasNoSteps) return chart;
  pathsWithoutSteps.add(poll.path);
  return fetchRuns(poll, runIds, "relative", known, signal);
}

function fetchRuns(
  poll: ChartPoll,
  runIds: number[],
  axis: ChartAxis,
  known: KnownRanges,
  signal: AbortSignal,
  steps?: Range,
): Promise<ChartData> {
  const { path, smoothing, ifKnown, groupBy, choice, quartiles } = poll;
  const xMetric = metricOfAxis(axis);
  // The values of a metric are found by their steps.
  const x: XAxis = axis === "time" || axis === "relative" ? axis : "step";
  const logX = poll.logX && x !== "time";
  const chartRequest = {
    runIds,
    path,
    x,
    smoothing,
    ifKnown,
    groupBy,
    choice,
    quartiles,
    steps,
    logX,
    xMetric,
    known: steps ? known.zoomed : known.full,
  };
  // The width is read when all charts of the page are laid out, not after each of them.
  const send = () => fetchChart({ ...chartRequest, points: pointsFor(poll.width()) }, signal);
  return enqueue(send, signal, isLastZoomed(path));
}

/** One bucket for two pixels. */
const pointsFor = (width: number): number => Math.min(2000, Math.max(50, Math.round(width / 2)));
