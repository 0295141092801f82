// Fields of runs: their titles, and which of them tell runs apart.

import { finiteNumber, isNumber, valueKey } from "../ui/values";
import type { ComparedRun } from "./compared-runs";

type Runs = Pick<ComparedRun, "values">[];

/** The name of a field without its prefix and quotes. */
export const fieldTitle = (field: string): string =>
  field
    .replace(/^(config|env|metric)\./, "")
    .replace(
      /^"(.*)"(\.\w+)?$/,
      (_, name: string, figure = "") => name.replace(/\\(.)/g, "$1") + figure,
    );

/** The field of a metric without the figure, such as ".min". */
export const withoutFigure = (field: string): string => field.replace(/\.\w+$/, "");

export const hasValue = (value: unknown): boolean => value !== null && value !== undefined;

export const isDifferent = (runs: Runs, field: string): boolean =>
  new Set(runs.map((run) => valueKey(run.values[field]))).size > 1;

export const numbersOf = (runs: Runs, field: string): number[] =>
  runs.flatMap((run) => finiteNumber(run.values[field]) ?? []);

// With more distinct words than these an axis cannot be read.
const MAX_WORDS = 12;

/** Whether an axis of the field tells runs apart: different numbers, or a few different words. */
export function isInformative(runs: Runs, field: string): boolean {
  if (!isDifferent(runs, field)) return false;
  const values = runs.map((run) => run.values[field]).filter(hasValue);
  if (values.every(isNumber)) return true;
  return new Set(values.map(valueKey)).size <= MAX_WORDS;
}
