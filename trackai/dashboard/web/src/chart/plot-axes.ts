// The axes of uPlot: ticks, labels and the room that they need.

import type uPlot from "uplot";
import { formatDate, formatTime } from "../ui/format";
import { textWidth } from "../ui/text-width";
import type { ChartAxis } from "./metric-axis";
import { linearTicks, logTicks, tickLabels } from "./ticks";

export const FONT = "11px system-ui";

// Distances in pixels.
const X_TICK_DISTANCE = 58;
const Y_TICK_DISTANCE = 38;
const TIME_TICK_DISTANCE = 64;

const widest = (labels: string[]): number =>
  Math.max(0, ...labels.map((label) => textWidth(label, FONT)));

// uPlot hides an axis if none of its increments fits. Ticks are set by `splits`, so any will do.
const ANY_INCREMENT: uPlot.Axis.Incrs = (_plot, _axis, low, high) => [Math.max(5, high - low)];
const KEEP_ALL: uPlot.Axis.Filter = (_plot, ticks) => ticks;

export function xAxisOptions(axis: ChartAxis, log: boolean): uPlot.Axis {
  return axis === "time" ? timeAxis() : numberAxis(axis === "relative", log);
}

function timeAxis(): uPlot.Axis {
  return {
    // Two lines: the date is below the time.
    size: 42,
    space: TIME_TICK_DISTANCE,
    values: (plot, ticks, _axis, _space, increment) =>
      withoutOverlaps(plot, ticks, timeLabels(ticks, increment)),
  };
}

function numberAxis(isDuration: boolean, log: boolean): uPlot.Axis {
  const unitOf = (span: number): Unit => {
    if (!isDuration) return NO_UNIT;
    return log ? SECONDS : durationUnit(span);
  };
  const labelsOf = (ticks: number[], span: number) => {
    const [size, suffix] = unitOf(span);
    return tickLabels(ticks.map((tick) => tick / size)).map((label) => label + suffix);
  };
  return {
    size: 26,
    splits: (plot, _axis, low, high) => {
      const [size] = unitOf(high - low);
      const ticksAt = (distance: number) => {
        const count = Math.max(2, plot.width / distance);
        const ticks = (log ? logTicks : linearTicks)(low / size, high / size, count);
        return ticks.map((tick) => tick * size);
      };
      const ticks = ticksAt(X_TICK_DISTANCE);
      const needed = widest(labelsOf(ticks, high - low)) + 14;
      return needed > X_TICK_DISTANCE ? ticksAt(needed) : ticks;
    },
    values: (plot, ticks) => {
      const { min, max } = plot.scales.x ?? {};
      return withoutOverlaps(plot, ticks, labelsOf(ticks, (max ?? 0) - (min ?? 0)));
    },
    incrs: ANY_INCREMENT,
    filter: KEEP_ALL,
  };
}

export function yAxisOptions(log: boolean): uPlot.Axis {
  return {
    size: (_plot, labels) => 14 + widest(["000", ...(labels ?? [])]),
    splits: (plot, _axis, low, high) =>
      (log ? logTicks : linearTicks)(low, high, Math.max(2, plot.height / Y_TICK_DISTANCE)),
    values: (_plot, ticks) => tickLabels(ticks),
    incrs: ANY_INCREMENT,
    filter: KEEP_ALL,
  };
}

type Unit = readonly [seconds: number, suffix: string];

const NO_UNIT: Unit = [1, ""];
const SECONDS: Unit = [1, " s"];
const DURATION_UNITS: Unit[] = [
  [86400, " d"],
  [3600, " h"],
  [60, " min"],
];

/** The unit for an axis of durations that spans this many seconds. */
export const durationUnit = (span: number): Unit =>
  DURATION_UNITS.find(([size]) => span >= 2 * size) ?? SECONDS;

/** Times of day, and the date wherever it changes; `increment` is in seconds. */
export function timeLabels(ticks: number[], increment: number): string[] {
  return ticks.map((tick, index) => {
    const date = formatDate(tick);
    if (increment >= 86400) return date;
    const digits = increment >= 0.1 ? 1 : 3;
    const fraction = increment >= 1 ? "" : (tick % 1).toFixed(digits).slice(1);
    const time = formatTime(tick).slice(0, increment >= 60 ? 5 : 8) + fraction;
    const previous = ticks[index - 1];
    return previous !== undefined && date === formatDate(previous) ? time : `${time}\n${date}`;
  });
}

/** Drop labels that would overlap or leave the plot; powers of ten take precedence. */
function withoutOverlaps(plot: uPlot, ticks: number[], labels: string[]): string[] {
  const left = plot.bbox.left / devicePixelRatio;
  const taken: (readonly [number, number])[] = [];
  const fits = (index: number): boolean => {
    const middle = left + plot.valToPos(ticks[index] as number, "x");
    const lines = (labels[index] as string).split("\n");
    if (middle + widest(lines) / 2 > plot.width) return false;
    const half = widest(lines.slice(0, 1)) / 2 + 3;
    const [start, end] = [middle - half, middle + half];
    if (taken.some(([from, to]) => start < to && end > from)) return false;
    taken.push([start, end]);
    return true;
  };
  const isPower = (index: number) => Number(Number.isInteger(Math.log10(ticks[index] as number)));
  const byPrecedence = ticks
    .map((_, index) => index)
    .sort((left, right) => isPower(right) - isPower(left));
  const kept = new Set(byPrecedence.filter(fits));
  return labels.map((label, index) => (kept.has(index) ? label : ""));
}
