// Scales: the range of an axis, and where a value is on it.

import { linearTicks, logTicks } from "./ticks";

// At most this share of the values at either end is taken for outliers.
const MAX_OUTLIERS = 0.025;
const MIN_VALUES = 8;

/**
 * The range of the values without far outliers: Tukey's outer fences, three times the interquartile
 * range beyond the quartiles. undefined if no value is outside.
 */
export function outlierFences(values: number[], log: boolean): [number, number] | undefined {
  if (values.length < MIN_VALUES) return undefined;
  const sorted = Float64Array.from(log ? values.map(Math.log) : values).sort();
  const quantile = (share: number) => sorted[Math.round(share * (sorted.length - 1))] as number;
  const [lower, upper] = [quantile(0.25), quantile(0.75)];
  const reach = 3 * (upper - lower);
  const low = Math.min(lower - reach, quantile(MAX_OUTLIERS));
  const high = Math.max(upper + reach, quantile(1 - MAX_OUTLIERS));
  const inside = sorted.filter((value) => value >= low && value <= high);
  if (inside.length === sorted.length || low === high) return undefined;
  const ends: [number, number] = [inside[0] as number, inside[inside.length - 1] as number];
  // The round trip through the logarithm is not exact.
  return log ? [Math.exp(ends[0]) * (1 - 1e-9), Math.exp(ends[1]) * (1 + 1e-9)] : ends;
}

// The span of an axis must be a finite number.
const MAX_END = 8e307;

/** The range with a margin at both ends. */
export function padded(low: number, high: number, log: boolean): [number, number] {
  if (log) {
    const factor = Math.max((high / low) ** 0.04, 1.02);
    return [low / factor, Math.min(high * factor, Number.MAX_VALUE)];
  }
  const margin = (high - low) * 0.05 || Math.abs(high) * 0.1 || 1;
  // The margin must not suggest that there are negative values.
  const start = low >= 0 && low - margin < 0 ? Math.min(0, low) : low - margin;
  return [Math.max(start, -MAX_END), Math.min(high + margin, MAX_END)];
}

export interface Scale {
  ticks: number[];
  /** The position of a value, from 0 at the low end to 1 at the high end. */
  position: (value: number) => number;
  /** The value at a position. */
  value: (position: number) => number;
}

export function makeScale(low: number, high: number, log: boolean, tickCount: number): Scale {
  const [start, end] = log ? [Math.log10(low), Math.log10(high)] : [low, high];
  const span = end - start || 1;
  return {
    ticks: log ? logTicks(low, high, tickCount) : linearTicks(low, high, tickCount),
    position: (value) => ((log ? Math.log10(value) : value) - start) / span,
    value: (position) => (log ? 10 ** (start + position * span) : start + position * span),
  };
}
