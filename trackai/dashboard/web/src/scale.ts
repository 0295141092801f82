// Scales of hand-drawn charts: where ticks stand, what is an outlier, where a value lies.

import { number } from "./format";

/** Round numbers from `low` to `high`, about `count` of them. */
export function ticks(low: number, high: number, count: number): number[] {
  const span = high - low;
  if (!(span > 0) || !Number.isFinite(span)) return [low];
  // Near the smallest numbers there are no powers of ten to count in.
  if (span < TINY) return ticks(low / TINY, high / TINY, count).map((one) => one * TINY);
  // Numbers that are nearer to each other than this are the same.
  const least = Math.max(Math.abs(low), Math.abs(high)) * 2 * Number.EPSILON;
  const rough = Math.max(span / Math.max(1, count), least);
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((one) => one * size >= rough) ?? 10) * size;
  const first = Math.ceil(low / step - 1e-9);
  const found = Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, at) =>
    multiple(first + at, step),
  );
  return [...new Set(found)];
}

const TINY = 1e-280;

/** So many times a step: divided by what is whole, three tenths are 0.3. */
const multiple = (times: number, step: number): number =>
  step >= 1 ? times * step : times / Math.round(1 / step);

/** What is written at ticks: as few digits as say where they are, and where these are many, how far they are from the first. */
export function labels(values: number[]): string[] {
  const gaps = values.slice(1).map((one, at) => Math.abs(one - (values[at] as number)));
  const near = Math.min(...gaps.filter((one) => one > 0)) / 100;
  const exact = (all: number[], digits: number): string[] => {
    const said = all.map((one) => label(one, digits));
    return digits >= 17 ||
      said.every((one, at) => !(Math.abs(Number(one) - (all[at] as number)) > near))
      ? said
      : exact(all, digits + 1);
  };
  const whole = exact(values, 5);
  const short = values.map(compact);
  if (values.some((one) => Math.abs(one) >= 1e4) && short.join("").length < whole.join("").length)
    return short;
  const [first, ...rest] = values;
  if (first === undefined || whole.every((one) => one.length <= LONG)) return whole;
  const apart = exact(
    rest.map((one) => one - first),
    5,
  );
  return [whole[0] as string, ...apart.map((one) => (one.startsWith("-") ? one : `+${one}`))];
}

const LONG = 10;

/** Thousands, millions and so on: 50k, 1.5M; nothing is rounded. */
function compact(value: number): string {
  const [size, name] = (
    [
      [1e12, "T"],
      [1e9, "G"],
      [1e6, "M"],
      [1e3, "k"],
    ] as const
  ).find(([one]) => Math.abs(value) >= one) ?? [1, ""];
  return `${value / size}${name}`;
}

function label(value: number, digits: number): string {
  const short = number(value, digits)
    .replace(/\.?0*e([+-]\d+)$/, "e$1")
    .replace("e+", "e");
  const plain = String(value);
  return Number.isInteger(value) && plain.length <= short.length ? plain : short;
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

const MOST = 8e307;

/** The range that shows all values, with a little room. */
export function padded(low: number, high: number, log: boolean): [number, number] {
  if (log) {
    const room = Math.max((high / low) ** 0.04, 1.02);
    return [low / room, Math.min(high * room, Number.MAX_VALUE)];
  }
  const room = (high - low) * 0.05 || Math.abs(high) * 0.1 || 1;
  // What is never below zero does not look as if it were.
  const from = low >= 0 && low - room < 0 ? Math.min(0, low) : low - room;
  // What is further apart than any number is great has no place on a chart.
  return [Math.max(from, -MOST), Math.min(high + room, MOST)];
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
