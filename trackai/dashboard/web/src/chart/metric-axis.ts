// A metric as the x axis: the points of another metric at its values.

import type { Bucket, RunChart, XAxis } from "../api/types";
import { plottedNumber } from "../ui/values";

/** An axis of the values of a metric; its name has no ":", which separates parts of addresses. */
export type MetricAxis = `metric ${string}`;
export type ChartAxis = XAxis | MetricAxis;

/** The chart of a run on any axis. */
export interface PlacedChart extends Omit<RunChart, "x"> {
  x: ChartAxis;
  /** How many points have no place on the axis. */
  unplaced?: number;
}

const PREFIX = "metric ";

export const axisOfMetric = (path: string): MetricAxis => `${PREFIX}${encodeURIComponent(path)}`;

/** The metric of an axis; undefined if it is not one of a metric. */
export const metricOfAxis = (axis: string): string | undefined =>
  axis.startsWith(PREFIX) ? decodeURIComponent(axis.slice(PREFIX.length)) : undefined;

/** What an axis shows. */
export const axisName = (axis: ChartAxis): string =>
  axis === "relative" ? "seconds since start" : (metricOfAxis(axis) ?? axis);

/** A logged value of the x metric, at a step. */
interface Knot {
  step: number;
  x: number;
}

/**
 * A chart over the values of the metric `path` at the same steps. Between two steps with a value,
 * it is interpolated; before the first and after the last one, points have no place. Points at the
 * same value become one bucket.
 */
export function placeOverMetric(
  chart: RunChart,
  xChart: RunChart | undefined,
  path: string,
): PlacedChart {
  const knots = knotsOf(xChart);
  const placed = chart.data.flatMap((bucket) => placeBucket(bucket, knots, chart.raw));
  placed.sort((left, right) => left.x - right.x);
  const data = mergeEqual(placed);
  const counted = (buckets: Bucket[]) => buckets.reduce((sum, { count }) => sum + count, 0);
  return {
    data,
    raw: chart.raw && data.every(({ count }) => count === 1),
    x: axisOfMetric(path),
    unplaced: counted(chart.data) - counted(data),
  };
}

/** The first and the last value of each bucket, which are exact. */
function knotsOf(chart: RunChart | undefined): Knot[] {
  const knots: Knot[] = [];
  for (const { step, step_last, first, last } of chart?.data ?? []) {
    const ends =
      step === step_last
        ? [[step, last] as const]
        : ([
            [step, first],
            [step_last, last],
          ] as const);
    for (const [at, value] of ends) {
      const x = plottedNumber(value);
      if (at !== null && x !== null) knots.push({ step: Number(at), x });
    }
  }
  return knots;
}

/** The x at a step; undefined outside of the knots, which are sorted by step. */
function xAt(knots: Knot[], step: number): number | undefined {
  let [low, high] = [0, knots.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((knots[middle] as Knot).step < step) low = middle + 1;
    else high = middle;
  }
  const [before, after] = [knots[low - 1], knots[low]];
  if (!after || step > after.step) return undefined;
  if (step === after.step) return after.x;
  if (!before) return undefined;
  const share = (step - before.step) / (after.step - before.step);
  return before.x + share * (after.x - before.x);
}

type PlacedBucket = Bucket & { x: number; x_last: number };

function placeBucket(bucket: Bucket, knots: Knot[], raw: boolean): PlacedBucket[] {
  if (bucket.step === null || bucket.step_last === null) return [];
  const ends = [xAt(knots, Number(bucket.step)), xAt(knots, Number(bucket.step_last))];
  const known = ends.filter((x) => x !== undefined);
  if (known.length === 0) return [];
  const value = raw ? plottedNumber(bucket.last) : null;
  const figures = raw ? { mean: value, min: value, max: value } : {};
  return [{ ...figures, ...bucket, x: Math.min(...known), x_last: Math.max(...known) }];
}

/** Buckets sorted by x, where those at a single, equal x are one. */
function mergeEqual(buckets: PlacedBucket[]): PlacedBucket[] {
  const merged: PlacedBucket[] = [];
  for (const bucket of buckets) {
    const previous = merged[merged.length - 1];
    const isEqual =
      previous && [previous.x_last, bucket.x, bucket.x_last].every((x) => x === previous.x);
    if (isEqual) merged[merged.length - 1] = mergeTwo(previous, bucket);
    else merged.push(bucket);
  }
  return merged;
}

function mergeTwo(left: PlacedBucket, right: PlacedBucket): PlacedBucket {
  const finite = ({ count, non_finite, mean }: Bucket) =>
    typeof mean === "number" ? count - non_finite : 0;
  const [leftCount, rightCount] = [finite(left), finite(right)];
  const total = leftCount + rightCount;
  const sum = (left.mean ?? 0) * leftCount + (right.mean ?? 0) * rightCount;
  const end = (
    values: (Bucket["min"] | undefined)[],
    isBetter: (a: number, b: number) => boolean,
  ) =>
    values
      .filter((value) => value !== null && value !== undefined)
      .reduce<Bucket["min"]>(
        (best, value) =>
          best === null || best === undefined || isBetter(Number(value), Number(best))
            ? value
            : best,
        null,
      );
  return {
    ...right,
    step: left.step,
    first: left.first,
    count: left.count + right.count,
    non_finite: left.non_finite + right.non_finite,
    mean: total > 0 ? sum / total : null,
    min: end([left.min, right.min], (a, b) => a < b),
    max: end([left.max, right.max], (a, b) => a > b),
  };
}
