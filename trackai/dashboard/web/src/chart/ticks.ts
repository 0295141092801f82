// Where the ticks of an axis are, and their labels.

import { formatNumber } from "../ui/format";

// Smaller spans are scaled up first: their powers of ten would underflow.
const TINY = 1e-280;

/** Round numbers from `low` to `high`, about `count` of them. */
export function linearTicks(low: number, high: number, count: number): number[] {
  const span = high - low;
  if (!(span > 0) || !Number.isFinite(span)) return [low];
  if (span < TINY) return linearTicks(low / TINY, high / TINY, count).map((tick) => tick * TINY);
  // The distance below which floating-point numbers of this size are equal.
  const resolution = Math.max(Math.abs(low), Math.abs(high)) * 2 * Number.EPSILON;
  const minStep = Math.max(span / Math.max(1, count), resolution);
  const power = 10 ** Math.floor(Math.log10(minStep));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= minStep) ?? 10) * power;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  const ticks = Array.from({ length: last - first + 1 }, (_, index) =>
    multiple(first + index, step),
  );
  return [...new Set(ticks)];
}

/** `times` steps; dividing by an integer makes 3 steps of 0.1 exactly 0.3. */
const multiple = (times: number, step: number): number =>
  step >= 1 ? times * step : times / Math.round(1 / step);

/** Powers of ten between two positive numbers, and multiples of them where there are few. */
export function logTicks(low: number, high: number, count: number): number[] {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const decades = last - first;
  const every = Math.max(1, Math.ceil(decades / Math.max(1, count)));
  const factors = decades <= 2 ? [1, 2, 3, 5, 7] : decades <= count / 2 ? [1, 2, 5] : [1];
  const ticks: number[] = [];
  for (let power = first; power <= last; power += every) {
    for (const factor of factors) ticks.push(Number((factor * 10 ** power).toPrecision(6)));
  }
  const inside = ticks.filter((tick) => tick >= low * 0.9999 && tick <= high * 1.0001);
  return inside.length >= 2 ? inside : linearTicks(low, high, count);
}

// Labels longer than this are written as distances from the first.
const MAX_LABEL = 10;

/** Labels with as few digits as tell the ticks apart. */
export function tickLabels(ticks: number[]): string[] {
  const gaps = ticks.slice(1).map((tick, index) => Math.abs(tick - (ticks[index] as number)));
  const tolerance = Math.min(...gaps.filter((gap) => gap > 0)) / 100;
  const full = shortestLabels(ticks, tolerance);
  const compact = ticks.map(compactLabel);
  const large = ticks.some((tick) => Math.abs(tick) >= 1e4);
  if (large && compact.join("").length < full.join("").length) return compact;
  const [first, ...rest] = ticks;
  if (first === undefined || full.every((label) => label.length <= MAX_LABEL)) return full;
  const offsets = rest.map((tick) => tick - first);
  const offsetLabels = shortestLabels(offsets, tolerance);
  return [
    full[0] as string,
    ...offsetLabels.map((label) => (label.startsWith("-") ? label : `+${label}`)),
  ];
}

function shortestLabels(values: number[], tolerance: number, digits = 5): string[] {
  const labels = values.map((value) => label(value, digits));
  const isExact = labels.every(
    (text, index) => !(Math.abs(Number(text) - (values[index] as number)) > tolerance),
  );
  return digits >= 17 || isExact ? labels : shortestLabels(values, tolerance, digits + 1);
}

function label(value: number, digits: number): string {
  const short = formatNumber(value, digits)
    .replace(/\.?0*e([+-]\d+)$/, "e$1")
    .replace("e+", "e");
  const plain = String(value);
  return Number.isInteger(value) && plain.length <= short.length ? plain : short;
}

const SUFFIXES = [
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
] as const;

/** 50k, 1.5M and so on, without rounding. */
function compactLabel(value: number): string {
  const [size, suffix] = SUFFIXES.find(([limit]) => Math.abs(value) >= limit) ?? [1, ""];
  return `${value / size}${suffix}`;
}
