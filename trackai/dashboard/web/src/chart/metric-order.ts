// The order of charts: what a model is judged by comes first.

import { directionOf, wordsOf } from "../ui/metric-words";

// Metrics of each layer or parameter, of which there are many.
const INTERNAL = new Set(
  "grad grads gradient gradients norm weight weights param params activation activations".split(
    " ",
  ),
);

const ranks = new Map<string, number>();

/** 0 for a loss or an error, 1 for a score, 2 for others, 3 for the insides of a model. */
export function rankOf(path: string): number {
  const known = ranks.get(path);
  if (known !== undefined) return known;
  const words = wordsOf(path);
  const isInternal = words.some((word) => INTERNAL.has(word.replace(/\d+$/, "")));
  const direction = directionOf(path);
  const rank = isInternal ? 3 : direction === "less" ? 0 : direction === "more" ? 1 : 2;
  ranks.set(path, rank);
  return rank;
}

/** The metrics in the order of their charts; those of one rank stay as they are. */
export const orderMetrics = (paths: string[]): string[] =>
  [...paths].sort((left, right) => rankOf(left) - rankOf(right));
