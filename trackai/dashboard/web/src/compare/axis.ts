// Axes of the compare page: numbers on a linear or log scale, words at even distances.

import { makeScale, padded } from "../chart/scale";
import { tickLabels } from "../chart/ticks";
import { finiteNumber, isNumber, valueKey } from "../ui/values";
import type { ComparedRun } from "./compared-runs";
import { hasValue, numbersOf } from "./fields";

type Run = Pick<ComparedRun, "values">;

export interface AxisTick {
  position: number;
  label: string;
}

export interface Axis {
  field: string;
  isCategorical: boolean;
  log: boolean;
  /** From 0 to 1; undefined for a run without the value, or with none that the scale shows. */
  position: (run: Run) => number | undefined;
  /** The value at a position; of a categorical axis, the position itself. */
  value: (position: number) => number;
  ticks: AxisTick[];
  /** Whether a run has no position. */
  hasMissing: boolean;
  /** How many different words a categorical axis has. */
  categories?: number;
}

interface AxisOptions {
  tickCount: number;
  /** By default, a log scale is used for positive numbers of several magnitudes. */
  log?: boolean;
  /** Add a margin at both ends. */
  margin?: boolean;
}

export function makeAxis(runs: Run[], field: string, options: AxisOptions): Axis {
  const numbers = numbersOf(runs, field);
  const hasWords = runs.some((run) => isWord(run.values[field]));
  return hasWords || numbers.length === 0
    ? categoricalAxis(runs, field)
    : numberAxis(runs, field, numbers, options);
}

// NaN and infinities arrive as strings.
const isWord = (value: unknown): boolean =>
  hasValue(value) && !isNumber(value) && !/^-?(NaN|Infinity)$/.test(String(value));

// Of many numbers, this share at either end does not decide: an even spread from 0 is not a reason.
const STRAY = 0.02;

/** Whether numbers are best seen on a log scale: positive, and of several magnitudes. */
export function suggestsLogScale(numbers: number[]): boolean {
  const sorted = Float64Array.from(numbers).sort();
  const stray = Math.round(STRAY * (sorted.length - 1));
  const [low = 0, high = 0] = [sorted[stray], sorted[sorted.length - 1 - stray]];
  return sorted.length > 1 && (sorted[0] as number) > 0 && high / low >= 100;
}

function numberAxis(
  runs: Run[],
  field: string,
  numbers: number[],
  { tickCount, log, margin }: AxisOptions,
): Axis {
  const usesLog = (log ?? suggestsLogScale(numbers)) && Math.max(...numbers) > 0;
  const shown = usesLog ? numbers.filter((number) => number > 0) : numbers;
  const [least, greatest] = [Math.min(...shown), Math.max(...shown)];
  const isSingle = least === greatest;
  const [low, high] = margin || isSingle ? padded(least, greatest, usesLog) : [least, greatest];
  const scale = makeScale(low, high, usesLog, tickCount);
  const position = (run: Run) => {
    const number = finiteNumber(run.values[field]);
    return number === undefined || (usesLog && number <= 0) ? undefined : scale.position(number);
  };
  const areIntegers = numbers.every(Number.isInteger);
  const ticks = isSingle
    ? [least]
    : scale.ticks.filter((tick) => !areIntegers || Number.isInteger(tick));
  const labels = tickLabels(ticks);
  return {
    field,
    isCategorical: false,
    log: usesLog,
    position,
    value: scale.value,
    ticks: ticks.map((tick, index) => ({
      position: scale.position(tick),
      label: labels[index] as string,
    })),
    hasMissing: runs.some((run) => position(run) === undefined),
  };
}

// With more words, only some of them have a tick.
const MAX_WORD_TICKS = 12;

function categoricalAxis(runs: Run[], field: string): Axis {
  const present = runs.filter((run) => hasValue(run.values[field]));
  const keys = [...new Set(present.map((run) => valueKey(run.values[field])))].sort();
  const positionOf = (index: number) => (keys.length === 1 ? 0.5 : index / (keys.length - 1));
  const positions = new Map(keys.map((key, index) => [key, positionOf(index)]));
  const every = Math.ceil(keys.length / MAX_WORD_TICKS);
  return {
    field,
    isCategorical: true,
    log: false,
    position: ({ values }) =>
      hasValue(values[field]) ? positions.get(valueKey(values[field])) : undefined,
    value: (position) => position,
    ticks: keys.flatMap((key, index) =>
      index % every === 0
        ? [{ position: positionOf(index), label: key.replace(/^"(.*)"$/, "$1") }]
        : [],
    ),
    hasMissing: present.length < runs.length,
    categories: keys.length,
  };
}

/** The position of a value on an axis of numbers, by bisection: `value` is increasing. */
export function positionOfValue(axis: Pick<Axis, "value">, value: number): number {
  let [low, high] = [-0.05, 1.05];
  for (let turn = 0; turn < 40; turn++) {
    const middle = (low + high) / 2;
    if (axis.value(middle) < value) low = middle;
    else high = middle;
  }
  return low;
}
