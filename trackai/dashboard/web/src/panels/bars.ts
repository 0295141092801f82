// The lengths and the order of bars.

import type { AnyNumber } from "../api/types";
import type { BarsPanel } from "../api/views";
import type { ComparedRun } from "../compare/compared-runs";
import { extent, finiteNumber } from "../ui/values";

export interface Bar {
  run: ComparedRun;
  value: AnyNumber;
  /** From 0 to 1 of the width. Bars begin at zero, so that their lengths can be compared. */
  start: number;
  end: number;
}

/** The bars of the runs whose value is a finite number. */
export function barsOf(runs: ComparedRun[], field: string, order: BarsPanel["order"]): Bar[] {
  const known = runs.filter(({ values }) => finiteNumber(values[field]) !== undefined);
  const numberOf = (run: ComparedRun) => run.values[field] as AnyNumber;
  if (order !== "runs") {
    const sign = order === "ascending" ? 1 : -1;
    known.sort((left, right) => {
      const [a, b] = [numberOf(left), numberOf(right)];
      return a < b ? -sign : a > b ? sign : 0;
    });
  }
  const [low, high] = extent([0, ...known.map((run) => Number(numberOf(run)))]) ?? [0, 0];
  const position = (value: number) => (high > low ? (value - low) / (high - low) : 0);
  const zero = position(0);
  return known.map((run) => {
    const value = numberOf(run);
    const place = position(Number(value));
    return { run, value, start: Math.min(zero, place), end: Math.max(zero, place) };
  });
}
