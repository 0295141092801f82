// Brushes: ranges of axes that select runs.

import { makeAxis } from "./axis";
import type { ComparedRun } from "./compared-runs";

/** A range of values; of a categorical axis, a range of positions. */
export interface Brush {
  field: string;
  low: number;
  high: number;
}

/** Brushes as lines of FIELD|LOW|HIGH; invalid lines are ignored. */
export function parseBrushes(lines: string[]): Brush[] {
  return lines.flatMap((line) => {
    const [field, low, high] = line.split("|");
    return field && low && high ? [{ field, low: Number(low), high: Number(high) }] : [];
  });
}

const rounded = (value: number): number => Number(value.toPrecision(6));

export const printBrush = ({ field, low, high }: Brush): string =>
  `${field}|${rounded(low)}|${rounded(high)}`;

/** The runs within all brushes. */
export function brushedRuns(runs: ComparedRun[], brushes: Brush[]): ComparedRun[] {
  const checks = brushes.map((brush) => {
    const axis = makeAxis(runs, brush.field, { tickCount: 5 });
    // Printed ends are rounded.
    const tolerance = (brush.high - brush.low) * 1e-4;
    return (run: ComparedRun) => {
      const position = axis.position(run);
      if (position === undefined) return false;
      const value = axis.value(position);
      return value >= brush.low - tolerance && value <= brush.high + tolerance;
    };
  });
  return runs.filter((run) => checks.every((check) => check(run)));
}
