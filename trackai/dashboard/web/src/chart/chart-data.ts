// The data of one chart: the charts of its runs, or of groups of them.

import { type ChartQuery, getGroupCharts, getRunCharts } from "../api/charts";
import { noteMissing } from "../api/run-names";
import type { Bucket, ChoiceBody, Group, Range, RunChart } from "../api/types";
import { plottedNumber } from "../ui/values";
import { type PlacedChart, placeOverMetric } from "./metric-axis";

export interface ChartRequest extends ChartQuery {
  /** The fields by whose groups to show means; "" shows each run. */
  groupBy: string;
  /** All chosen runs, which groups are of. */
  choice: ChoiceBody;
  /** Whether to fetch quartiles of groups. */
  quartiles: boolean;
  /** Whether to refine the start of the chart, which is wide on a log scale. */
  logX: boolean;
  /** The metric that is the x axis; undefined for an axis of the server. */
  xMetric?: string;
}

export interface GroupWithSlot extends Group {
  /** Its place among all groups: it has the same colour where others lack the metric. */
  slot: number;
}

export interface ChartData {
  runs: Map<number, PlacedChart>;
  /** The requested runs that no longer exist. */
  deleted?: number[];
  groups?: GroupWithSlot[];
  /** The charts of several metrics, in place of all others. */
  parts?: [metric: string, chart: ChartData][];
  /** Whether it is shown until the same chart with smoothed values arrives. */
  isUnsmoothed?: boolean;
}

// How often the first bucket of a chart is refined for a log scale.
const MAX_REFINEMENTS = 3;

export async function fetchChart(request: ChartRequest, signal: AbortSignal): Promise<ChartData> {
  const { xMetric } = request;
  if (xMetric === undefined) return await fetchRefined(request, signal);
  const runs = { ...request, groupBy: "" };
  const [chart, xChart] = await Promise.all([
    fetchRefined(runs, signal),
    fetchRefined({ ...runs, path: xMetric, smoothing: 0 }, signal),
  ]);
  const placed = [...chart.runs].map(([id, runChart]): [number, PlacedChart] => [
    id,
    placeOverMetric(runChart, xChart.runs.get(id), xMetric),
  ]);
  return { ...chart, runs: new Map(placed) };
}

interface RefinedChart extends ChartData {
  runs: Map<number, RunChart>;
}

async function fetchRefined(request: ChartRequest, signal: AbortSignal): Promise<RefinedChart> {
  const chart = await fetchOnce(request, signal);
  if (!request.logX || chart.groups) return chart;
  for (let turn = 0; turn < MAX_REFINEMENTS; turn++) {
    const coarse = [...chart.runs].filter(([, { data }]) => isCoarse(data[0]));
    if (coarse.length === 0) break;
    const max = Math.max(...coarse.map(([, { data }]) => Number(data[0]?.step_last ?? 0)));
    const start = await fetchOnce(
      {
        ...request,
        runIds: coarse.map(([id]) => id),
        steps: { ...request.steps, max },
        known: undefined,
      },
      signal,
    );
    for (const [id, runChart] of coarse) {
      chart.runs.set(id, withStart(start.runs.get(id), runChart, max));
    }
  }
  return chart;
}

const isCoarse = (first: Bucket | undefined): boolean =>
  first !== undefined && first.count > 1 && first.step_last !== null;

/** A chart with its buckets up to step `max` replaced by finer ones. */
export function withStart(start: RunChart | undefined, chart: RunChart, max: number): RunChart {
  if (!start) return chart;
  const rest = chart.data.filter((bucket) => (bucket.step_last ?? 0) > max);
  const until = rest[0]?.step ?? Infinity;
  const fine = start.data.filter((bucket) => (bucket.step ?? 0) < until);
  return { ...chart, data: [...(start.raw ? fine.map(pointAsBucket) : fine), ...rest] };
}

/** A point as a bucket of one point. */
function pointAsBucket(point: Bucket): Bucket {
  const value = plottedNumber(point.last);
  return { mean: value, min: value, max: value, ...point };
}

async function fetchOnce(request: ChartRequest, signal: AbortSignal): Promise<RefinedChart> {
  if (request.groupBy) {
    const { choice, groupBy, quartiles } = request;
    const allGroups = await getGroupCharts(request, choice, groupBy, quartiles, signal);
    const groups = allGroups
      .map((group, slot) => ({ ...group, slot }))
      .filter((group) => group.metrics[request.path]);
    // Without groups, as for a metric without steps or an unknown field, show the runs.
    if (groups.length > 0) return { runs: new Map(), groups };
  }
  const { charts, deleted } = await getRunCharts(request, signal);
  noteMissing(deleted);
  return { runs: charts, deleted };
}

/** The data of all runs that exist: fresh where it was fetched again, otherwise as before. */
export function mergeRuns(
  runIds: number[],
  before: ChartData | undefined,
  fresh: ChartData,
): ChartData {
  const runs: ChartData["runs"] = new Map();
  for (const id of runIds) {
    const isDeleted = fresh.deleted?.includes(id);
    const chart = fresh.runs.get(id) ?? (isDeleted ? undefined : before?.runs.get(id));
    if (chart) runs.set(id, chart);
  }
  return { runs };
}

/** Positions of buckets on another axis: seconds, as numbers or ISO timestamps. */
export const seconds = (x: number | string | undefined): number =>
  typeof x === "string" ? Date.parse(x) / 1000 : (x ?? 0);

/** The steps within a range of another axis; undefined if there are none. */
export function stepsBetween(chart: ChartData, range: Range): Range | undefined {
  let [min, max] = [Infinity, -Infinity];
  const series = chart.groups
    ? chart.groups.flatMap((group) => Object.values(group.metrics))
    : [...chart.runs.values()];
  for (const { data } of series) {
    for (const bucket of data) {
      if (bucket.step === null || bucket.step_last === null) continue;
      const [start, end] = [seconds(bucket.x), seconds(bucket.x_last ?? bucket.x)];
      if (end < range.min || start > range.max) continue;
      min = Math.min(min, Number(bucket.step));
      max = Math.max(max, Number(bucket.step_last));
    }
  }
  return min <= max ? { min, max } : undefined;
}
