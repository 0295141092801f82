// The metric that a sweep is judged by, and the figure of it.

import type { Columns } from "../api/types";
import { fieldTitle } from "../compare/fields";
import { FIGURES } from "../view/figures";

export const DURATION = "duration";

/** The metric and the figure of a field. */
export function splitTarget(target: string): { metric: string; figure: string } {
  const figure = /\.(\w+)$/.exec(target)?.[1] ?? "";
  if (!target.startsWith("metric.") || !FIGURES.includes(figure))
    return { metric: target, figure: "last" };
  return { metric: target.slice(0, -figure.length - 1), figure };
}

export const joinTarget = (metric: string, figure: string): string =>
  metric.startsWith("metric.") ? `${metric}.${figure}` : metric;

/** A target in words, such as "min val/loss". */
export function targetName(target: string): string {
  const { metric, figure } = splitTarget(target);
  return metric.startsWith("metric.") ? `${figure} ${fieldTitle(metric)}` : metric;
}

export const numericMetrics = ({ metrics }: Pick<Columns, "metrics">): string[] =>
  metrics.filter(({ kind }) => kind === "number" || kind === "bool").map(({ field }) => field);
