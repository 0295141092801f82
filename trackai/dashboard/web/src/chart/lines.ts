// The lines of a chart: its data as columns to draw.

import type { AnyNumber, Bucket, GroupBucket, GroupChart, GroupValue } from "../api/types";
import { dashOf, runStyle, slotStyle } from "../ui/colors";
import { formatValue, plural } from "../ui/format";
import { plottedNumber, valueKey } from "../ui/values";
import { type Band, band } from "../view/parameters";
import { type ChartData, type GroupWithSlot, seconds } from "./chart-data";
import type { ChartAxis, PlacedChart } from "./metric-axis";

type Column = (number | null)[];

export interface Line {
  key: string;
  label: string;
  color: string;
  dash: number[];
  axis: ChartAxis;
  x: number[];
  /** The range of x that each point stands for; equal for a single point. */
  from: number[];
  to: number[];
  steps: [AnyNumber | null, AnyNumber | null][];
  /** The values of the line: points, means or moving averages. */
  y: Column;
  /** The values before smoothing. */
  unsmoothed?: Column;
  /** Of the values before smoothing, the integers that a number cannot hold. */
  large?: (bigint | undefined)[];
  low?: Column;
  high?: Column;
  /** How many points, or runs of a group, each value is of. */
  count: number[];
  /** The x of values that are NaN or infinite. */
  nonFinite: number[];
  /** A note for each point that is or contains NaN or infinite values. */
  notes: (string | undefined)[];
  /** The number of runs in a group; undefined for a run. */
  runs?: number;
  /** In a chart of several metrics, the metric and the run or group. */
  metric?: string;
  owner?: string;
  /** How many points have no place on the x axis. */
  unplaced?: number;
}

export function toLines(chart: ChartData, names: Map<number, string>, smoothed: boolean): Line[] {
  if (chart.parts) return linesOfMetrics(chart.parts, names, smoothed);
  if (chart.groups) return chart.groups.map((group) => groupLine(group, smoothed));
  return [...chart.runs].map(([id, runChart]) =>
    runLine(id, runChart, names.get(id) ?? `run ${id}`, smoothed),
  );
}

/** The lines of several metrics: one run has different colours, several have different dashes. */
function linesOfMetrics(
  parts: [metric: string, chart: ChartData][],
  names: Map<number, string>,
  smoothed: boolean,
): Line[] {
  const lines = parts.map(([metric, chart]) => ({
    metric,
    lines: toLines(chart, names, smoothed && !chart.isUnsmoothed),
  }));
  const isSingle = new Set(lines.flatMap((part) => part.lines.map((line) => line.key))).size <= 1;
  return lines.flatMap(({ metric, lines: ofMetric }, index) =>
    ofMetric.map((line) => ({
      ...line,
      label: isSingle ? metric : `${line.label} · ${metric}`,
      metric,
      owner: line.label,
      ...(isSingle ? slotStyle(index) : index > 0 && { dash: dashOf(index) }),
    })),
  );
}

function runLine(id: number, chart: PlacedChart, label: string, smoothed: boolean): Line {
  const { data } = chart;
  const values = data.map((bucket) =>
    chart.raw ? plottedNumber(bucket.last) : (bucket.mean ?? null),
  );
  const hasBand = !chart.raw && data.some((bucket) => bucket.min !== bucket.max);
  const large = data.map(({ last }) => (typeof last === "bigint" ? last : undefined));
  return {
    key: `run ${id}`,
    label,
    ...runStyle(id),
    ...positions(chart, smoothed),
    y: smoothed ? data.map((bucket) => bucket.smoothed ?? null) : values,
    unsmoothed: smoothed ? values : undefined,
    large: chart.raw && large.some(Boolean) ? large : undefined,
    low: hasBand ? data.map((bucket) => plottedNumber(bucket.min)) : undefined,
    high: hasBand ? data.map((bucket) => plottedNumber(bucket.max)) : undefined,
    count: data.map((bucket) => bucket.count),
    notes: data.map((bucket) => runNote(bucket, chart.raw)),
    unplaced: chart.unplaced,
  };
}

function runNote(bucket: Bucket, raw: boolean): string | undefined {
  if (bucket.non_finite === 0) return undefined;
  if (raw) return String(bucket.last ?? "NaN");
  return `${bucket.non_finite} of ${plural(bucket.count, "value")} NaN or infinite`;
}

function groupLine(group: GroupWithSlot, smoothed: boolean): Line {
  const chart = Object.values(group.metrics)[0] as GroupChart;
  const { data } = chart;
  const bands = data.map((bucket) => groupBand(bucket, band.value));
  const means = bands.map(([, middle]) => middle);
  const hasBand = bands.some(([low, , high]) => low !== high);
  return {
    key: `group ${valueKey(group.value)}`,
    label: groupLabel(group.value),
    ...slotStyle(group.slot),
    ...positions(chart, smoothed),
    y: smoothed ? data.map((bucket) => bucket.smoothed ?? null) : means,
    unsmoothed: smoothed ? means : undefined,
    low: hasBand ? bands.map(([low]) => low) : undefined,
    high: hasBand ? bands.map(([, , high]) => high) : undefined,
    count: data.map((bucket) => bucket.runs),
    notes: data.map(({ non_finite }) =>
      non_finite > 0 ? `NaN or infinite in ${plural(non_finite, "run")}` : undefined,
    ),
    runs: chart.runs,
  };
}

type Edge = number | null;

/** The lower edge, the middle and the upper edge of a group in a bucket. */
export function groupBand(bucket: GroupBucket, kind: Band): [Edge, Edge, Edge] {
  const { mean, std, min, max, runs } = bucket;
  // A median is there only once the charts are fetched again with quartiles.
  if (kind === "quartiles" && bucket.median !== undefined) {
    return [bucket.low_quartile ?? null, bucket.median, bucket.high_quartile ?? null];
  }
  if (kind === "range") return [plottedNumber(min), mean, plottedNumber(max)];
  if (mean === null || std === null) return [null, mean, null];
  const half = kind === "error" ? std / Math.sqrt(runs) : std;
  return [mean - half, mean, mean + half];
}

/** The value of a point before smoothing, exactly. */
export const rawValue = (line: Line, index: number): AnyNumber | null =>
  line.large?.[index] ?? (line.unsmoothed ?? line.y)[index] ?? null;

export const groupLabel = (value: GroupValue): string =>
  Array.isArray(value)
    ? value.map(groupLabel).join(" · ")
    : value === null
      ? "(none)"
      : formatValue(value);

function positions(chart: PlacedChart | GroupChart, smoothed: boolean) {
  const { data, x: axis } = chart;
  const from = data.map((bucket) =>
    axis === "step" ? Number(bucket.step ?? 0) : seconds(bucket.x),
  );
  const to = data.map((bucket) =>
    axis === "step" ? Number(bucket.step_last ?? 0) : seconds(bucket.x_last ?? bucket.x),
  );
  // A mean is drawn in the middle of its bucket, a moving average at the end.
  const x = smoothed ? to : from.map((start, index) => (start + (to[index] as number)) / 2);
  return {
    axis,
    x,
    from,
    to,
    steps: data.map((bucket): Line["steps"][number] => [bucket.step, bucket.step_last]),
    nonFinite: from.filter((_, index) => (data[index]?.non_finite ?? 0) > 0),
  };
}
