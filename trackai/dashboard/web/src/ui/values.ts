// Comparing and converting values of configurations and metrics.

import { toJson } from "./json";

/** Order names by the numbers in them: key2 before key10. In all languages alike. */
export const compareNatural = new Intl.Collator("en", { numeric: true }).compare;

/** A key under which values that are equal in Python are equal here. */
export const valueKey = (value: unknown): string => toJson(value ?? null);

export const isNumber = (value: unknown): value is number | bigint =>
  typeof value === "number" || typeof value === "bigint";

/** A number to place on a scale; a large integer is rounded. */
export const finiteNumber = (value: unknown): number | undefined =>
  isNumber(value) && Number.isFinite(Number(value)) ? Number(value) : undefined;

/** The number that a logged value is plotted at; NaN and infinities arrive as strings. */
export const plottedNumber = (value: unknown): number | null =>
  isNumber(value) || typeof value === "boolean" ? Number(value) : null;

export function extent(values: Iterable<number | null | undefined>): [number, number] | undefined {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value === null || value === undefined) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : undefined;
}
