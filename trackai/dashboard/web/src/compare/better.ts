// Whether higher or lower values of a metric are better.

import type { AnyNumber } from "../api/types";
import { type Better, directionOf } from "../ui/metric-words";
import { fieldTitle, withoutFigure } from "./fields";

export type { Better };

/** What the name of a metric says; undefined if it says nothing. */
export const betterByName = (field: string): Better =>
  directionOf(fieldTitle(withoutFigure(field)));

// In the address: lines of "more NAME" or "less NAME", which take precedence over the name.
const nameIn = (line: string): string => line.slice(5);

export function betterOf(field: string, lines: string[]): Better {
  const metric = withoutFigure(field);
  const line = lines.find((candidate) => nameIn(candidate) === metric);
  return line ? (line.slice(0, 4) as Better) : betterByName(field);
}

/** The best of some numbers, which may be large integers; undefined if none is better. */
export function bestOf(numbers: AnyNumber[], better: Better): AnyNumber | undefined {
  if (better === undefined || numbers.length === 0) return undefined;
  return numbers.reduce((best, number) =>
    (better === "more" ? number > best : number < best) ? number : best,
  );
}

/** The lines after a click: more becomes less and less more, through undefined if unknown. */
export function toggleBetter(field: string, lines: string[]): string[] {
  const metric = withoutFigure(field);
  const byName = betterByName(field);
  const current = betterOf(field, lines);
  const isEndOfCycle = current === "less" && !byName;
  const next = current === "more" ? "less" : isEndOfCycle ? undefined : "more";
  const others = lines.filter((line) => nameIn(line) !== metric);
  return next && next !== byName ? [...others, `${next} ${metric}`] : others;
}
