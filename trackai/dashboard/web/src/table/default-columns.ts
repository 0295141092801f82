// The figures that a table shows until someone selects columns.

import type { Columns, MetricColumn } from "../api/types";
import { rankOf } from "../chart/metric-order";
import { directionOf } from "../ui/metric-words";

const MAX_FIGURES = 3;
// More of one kind, such as losses, would leave no room for another.
const MAX_OF_A_KIND = 2;
// Metrics of the machine, and of the insides of a model, are no results.
const MACHINE = /^(system|cpu|gpu|memory|process|disk|network)\//;
const INSIDES = 3;
const HELD_OUT = /(^|[^a-z])(val|valid|validation|eval|test)([^a-z]|$)/i;

/** Best of the most common metrics whose direction is known, the last of others. */
export function defaultFigures({ metrics }: Pick<Columns, "metrics">): string[] {
  const numbers = metrics.filter(
    ({ path, kind }) => kind === "number" && !MACHINE.test(path) && rankOf(path) < INSIDES,
  );
  const most = Math.max(0, ...numbers.map(({ runs }) => runs));
  const common = numbers.filter(({ runs }) => 2 * runs >= most).sort(byInterest);
  const counts = new Map<number, number>();
  const chosen = common.filter(({ path }) => {
    const count = (counts.get(rankOf(path)) ?? 0) + 1;
    counts.set(rankOf(path), count);
    return count <= MAX_OF_A_KIND;
  });
  return chosen.slice(0, MAX_FIGURES).map(figureOf);
}

/** Losses first, then scores, then others; of these the held-out ones, then the most common. */
const byInterest = (left: MetricColumn, right: MetricColumn): number =>
  rankOf(left.path) - rankOf(right.path) ||
  Number(HELD_OUT.test(right.path)) - Number(HELD_OUT.test(left.path)) ||
  right.runs - left.runs;

function figureOf({ path, field }: MetricColumn): string {
  const better = directionOf(path);
  return better ? `${field}.${better === "less" ? "min" : "max"}` : field;
}
