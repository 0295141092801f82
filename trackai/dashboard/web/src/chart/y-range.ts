// The range of the y axis, and the values that it leaves out.

import type { Range } from "../api/types";
import { plural } from "../ui/format";
import { extent } from "../ui/values";
import type { Limits } from "../view/parsing";
import type { Line } from "./lines";
import { outlierFences, padded } from "./scale";

// Outliers are clipped if the range with them is at least this many times as high. The first values
// of a loss, and a warm-up, are shown.
const MIN_SQUEEZE = 3;

/** How the lines of a chart are shown. */
export interface ChartView {
  logX: boolean;
  logY: boolean;
  clipOutliers: boolean;
  zoom: Range | undefined;
  /** The range of the y axis that was set by hand. */
  limits: Limits | undefined;
}

export interface YRange {
  range: [number, number] | undefined;
  /** How many of `total` values are clipped, or are not above 0 on a log scale. */
  clipped: number;
  /** Whether values are clipped by limits that were set by hand, and not as outliers. */
  byHand?: boolean;
  notPositive: number;
  total: number;
}

export function yRange(lines: Line[], view: ChartView): YRange {
  const values: number[] = [];
  const bandValues: number[] = [];
  let notPositive = 0;
  const isDrawable = (value: unknown): value is number =>
    typeof value === "number" && !(view.logY && value <= 0);
  for (const line of lines) {
    line.x.forEach((x, index) => {
      if (view.zoom && (x < view.zoom.min || x > view.zoom.max)) return;
      if (view.logX && x <= 0) return;
      const value = line.y[index];
      if (isDrawable(value)) values.push(value);
      else if (typeof value === "number") notPositive += 1;
      const band = [line.low?.[index], line.high?.[index], line.unsmoothed?.[index]];
      bandValues.push(...band.filter(isDrawable));
    });
  }
  const limits = drawableLimits(view);
  const all = extent([...(extent(values) ?? []), ...(extent(bandValues) ?? [])]);
  const fences = all && view.clipOutliers ? farFences(values, all, view.logY) : undefined;
  const shown = fences ?? all;
  const automatic = shown && padded(...shown, view.logY);
  const range = limits ? withLimits(automatic, limits, view.logY) : automatic;
  const clip = limits ? range : fences;
  const isClipped = (value: number) => clip && (value < clip[0] || value > clip[1]);
  return {
    range,
    clipped: values.filter(isClipped).length,
    byHand: limits !== undefined,
    notPositive,
    total: values.length + notPositive,
  };
}

/** The range without outliers, if these would squeeze the lines to a fraction of the height. */
function farFences(
  values: number[],
  all: [number, number],
  log: boolean,
): [number, number] | undefined {
  const fences = outlierFences(values, log);
  const height = ([low, high]: [number, number]) => (log ? Math.log(high / low) : high - low);
  return fences && height(all) > MIN_SQUEEZE * height(fences) ? fences : undefined;
}

/** The limits that the scale can have; undefined without any. */
function drawableLimits({ limits, logY }: ChartView): Limits | undefined {
  const drawable = (end: number | undefined) =>
    end === undefined || (logY && end <= 0) ? undefined : end;
  const [min, max] = [drawable(limits?.min), drawable(limits?.max)];
  return min === undefined && max === undefined ? undefined : { min, max };
}

/** A range with one or both ends set. */
function withLimits(
  automatic: [number, number] | undefined,
  { min, max }: Limits,
  log: boolean,
): [number, number] {
  const end = (min ?? max) as number;
  const [low, high] = automatic ?? padded(end, end, log);
  if (max === undefined && high <= end) return [end, padded(end, end, log)[1]];
  if (min === undefined && low >= end) return [padded(end, end, log)[0], end];
  return [min ?? low, max ?? high];
}

/** Which values a chart does not show; "" if it shows all. */
export function describeHidden(
  { clipped, byHand, notPositive, total }: YRange,
  lines: Line[] = [],
): string {
  const parts: string[] = [];
  const unplaced = lines.reduce((sum, line) => sum + (line.unplaced ?? 0), 0);
  if (unplaced > 0) parts.push(`${plural(unplaced, "value")} without a place on the x axis`);
  const reason = byHand ? "outside the y range" : "clipped as outliers";
  if (clipped > 0) parts.push(`${clipped} of ${plural(total, "value")} ${reason}`);
  if (notPositive > 0) parts.push(`${notPositive} of ${plural(total, "value")} not above 0`);
  return parts.join(", ");
}

/** The lower edge of a band; on a log scale, edges that are not above 0 are at the bottom. */
export const bandBottom = (
  low: (number | null)[],
  view: ChartView,
  { range }: YRange,
): (number | null)[] =>
  view.logY && range ? low.map((edge) => (edge !== null && edge <= 0 ? range[0] : edge)) : low;

/** What is drawn in a chart. */
export interface DrawnChart {
  /** The visible lines, and all lines. */
  lines: Line[];
  allLines: Line[];
  view: ChartView;
  yRange: YRange;
}
