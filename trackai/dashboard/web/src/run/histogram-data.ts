// Histograms as bins.

import type { AnyNumber, Histogram } from "../api/types";
import { finiteNumber } from "../ui/values";

export interface Bins {
  step: AnyNumber | null;
  timestamp: string;
  /** One more edge than values. */
  edges: number[];
  values: number[];
}

/** The bins of a logged value; undefined if it is not a histogram of finite numbers. */
export function toBins({ step, timestamp, value }: Histogram): Bins | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { edges, values } = value as { edges?: unknown; values?: unknown };
  if (!Array.isArray(edges) || !Array.isArray(values)) return undefined;
  if (values.length === 0 || edges.length !== values.length + 1) return undefined;
  const areFinite = [...edges, ...values].every((number) => finiteNumber(number) !== undefined);
  return areFinite
    ? { step, timestamp, edges: edges.map(Number), values: values.map(Number) }
    : undefined;
}

export const lowEdge = (bins: Bins): number => bins.edges[0] as number;
export const highEdge = (bins: Bins): number => bins.edges.at(-1) as number;

/** Values per unit of width, so that wide bins do not look fuller. */
export const densities = ({ edges, values }: Bins): number[] =>
  values.map((value, bin) => value / ((edges[bin + 1] as number) - (edges[bin] as number) || 1));
