// Ranges of axes as a filter.

import type { Axis } from "../compare/axis";
import type { Brush } from "../compare/brush";
import type { ComparedRun } from "../compare/compared-runs";
import { isNumber, valueKey } from "../ui/values";

/** The condition of a range; undefined if the filter language has none for its values. */
export function rangeCondition(brush: Brush, axis: Axis, runs: ComparedRun[]): string | undefined {
  const { field, low, high } = brush;
  if (!axis.isCategorical) return `${field} >= ${low} and ${field} <= ${high}`;
  const inside = runs.filter((run) => {
    const position = axis.position(run);
    return position !== undefined && position >= low - 1e-6 && position <= high + 1e-6;
  });
  const values = new Map(inside.map((run) => [valueKey(run.values[field]), run.values[field]]));
  const conditions = [...values.values()].map((value) => equality(field, value));
  if (conditions.length === 0 || conditions.includes(undefined)) return undefined;
  return conditions.length === 1 ? conditions[0] : `(${conditions.join(" or ")})`;
}

function equality(field: string, value: unknown): string | undefined {
  if (typeof value === "string") return `${field} = ${JSON.stringify(value)}`;
  return isNumber(value) || typeof value === "boolean" ? `${field} = ${value}` : undefined;
}

/** All conditions with the filter that holds already; undefined if one is missing. */
export function withConditions(
  filter: string,
  conditions: (string | undefined)[],
): string | undefined {
  if (conditions.includes(undefined)) return undefined;
  return [...(filter ? [`(${filter})`] : []), ...conditions].join(" and ");
}
