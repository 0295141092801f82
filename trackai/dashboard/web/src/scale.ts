// Scales of hand-drawn charts: where ticks stand, what is an outlier, where a value lies.

/** Round numbers from `low` to `high`, about `count` of them. */
export function ticks(low: number, high: number, count: number): number[] {
  const span = high - low;
  if (!(span > 0) || !Number.isFinite(span)) return [low];
  const rough = span / Math.max(1, count);
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((one) => one * size >= rough) ?? 10) * size;
  const found: number[] = [];
  const last = Math.floor(high / step + 1e-9);
  for (let at = Math.ceil(low / step - 1e-9); at <= last; at++) {
    found.push(Number((at * step).toPrecision(12)));
  }
  return found;
}

/** Powers of ten between two positive numbers, with their twos and fives where there are few. */
export function logTicks(low: number, high: number, count: number): number[] {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const every = Math.max(1, Math.ceil((last - first) / Math.max(1, count)));
  const parts = last - first <= 2 ? [1, 2, 3, 5, 7] : last - first <= count / 2 ? [1, 2, 5] : [1];
  const found: number[] = [];
  for (let power = first; power <= last; power += every) {
    for (const part of parts) found.push(Number((part * 10 ** power).toPrecision(6)));
  }
  const inside = found.filter((one) => one >= low * 0.9999 && one <= high * 1.0001);
  return inside.length >= 2 ? inside : ticks(low, high, count);
}

// More than so much at an end is not an outlier, however far off it lies.
const FEW = 0.025;

/**
 * Between which values everything lies but far outliers: Tukey's outer fences, three times the
 * distance of the quartiles beyond them. undefined where nothing lies outside.
 */
export function fences(values: number[], log: boolean): [number, number] | undefined {
  if (values.length < 8) return undefined;
  const sorted = Float64Array.from(log ? values.map(Math.log) : values).sort();
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] as number;
  const [lower, upper] = [at(0.25), at(0.75)];
  const reach = 3 * (upper - lower);
  const [from, to] = [Math.min(lower - reach, at(FEW)), Math.max(upper + reach, at(1 - FEW))];
  const inside = sorted.filter((one) => one >= from && one <= to);
  if (inside.length === sorted.length || from === to) return undefined;
  const ends = [inside[0] as number, inside[inside.length - 1] as number] as const;
  // Back through the logarithm, the ends may come out a hair inside.
  return log ? [Math.exp(ends[0]) * (1 - 1e-9), Math.exp(ends[1]) * (1 + 1e-9)] : [...ends];
}

/** The range that shows all values, with a little room. */
export function padded(low: number, high: number, log: boolean): [number, number] {
  if (log) {
    const room = Math.max((high / low) ** 0.04, 1.02);
    return [low / room, high * room];
  }
  const room = (high - low) * 0.05 || Math.abs(high) * 0.1 || 1;
  // What is never below zero does not look as if it were.
  return [low >= 0 && low - room < 0 ? Math.min(0, low) : low - room, high + room];
}

export interface Scale {
  low: number;
  high: number;
  log: boolean;
  ticks: number[];
  /** From 0 at the low end to 1 at the high end. */
  at: (value: number) => number;
  /** The value at a place from 0 to 1. */
  back: (share: number) => number;
}

export function scale(low: number, high: number, log: boolean, count: number): Scale {
  const [from, to] = log ? [Math.log10(low), Math.log10(high)] : [low, high];
  const span = to - from || 1;
  return {
    low,
    high,
    log,
    ticks: log ? logTicks(low, high, count) : ticks(low, high, count),
    at: (value) => ((log ? Math.log10(value) : value) - from) / span,
    back: (share) => (log ? 10 ** (from + share * span) : from + share * span),
  };
}

export function extent(values: Iterable<number | null | undefined>): [number, number] | undefined {
  let [low, high] = [Infinity, -Infinity];
  for (const one of values) {
    if (one === null || one === undefined) continue;
    if (one < low) low = one;
    if (one > high) high = one;
  }
  return low <= high ? [low, high] : undefined;
}
