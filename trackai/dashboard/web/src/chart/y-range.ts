// The range of the y axis, and the values that it leaves out.

import type { Range } from "../api/types";
import { plural } from "../ui/format";
import { extent } from "../ui/values";
import type { Line } from "./lines";
import { outlierFences, padded } from "./scale";

/** How the lines of a chart are shown. */
export interface ChartView {
  logX: boolean;
  logY: boolean;
  clipOutliers: boolean;
  zoom: Range | undefined;
}

export interface YRange {
  range: [number, number] | undefined;
  /** How many of `total` values are clipped as outliers, or are not above 0 on a log scale. */
  clipped: number;
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
  const fences = view.clipOutliers ? outlierFences(values, view.logY) : undefined;
  const shown = extent(fences ?? [...(extent(values) ?? []), ...(extent(bandValues) ?? [])]);
  const isOutlier = (value: number) => fences && (value < fences[0] || value > fences[1]);
  return {
    range: shown && padded(...shown, view.logY),
    clipped: values.filter(isOutlier).length,
    notPositive,
    total: values.length + notPositive,
  };
}

/** Which values a chart does not show; "" if it shows all. */
export function describeHidden(
  { clipped, notPositive, total }: YRange,
  lines: Line[] = [],
): string {
  const parts: string[] = [];
  const unplaced = lines.reduce((sum, line) => sum + (line.unplaced ?? 0), 0);
  if (unplaced > 0) parts.push(`${plural(unplaced, "value")} without a place on the x axis`);
  if (clipped > 0) parts.push(`${clipped} of ${plural(total, "value")} clipped as outliers`);
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
