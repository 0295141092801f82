// The metrics of a run by where they are shown.

import type { Columns, Figures } from "../api/types";
import { compareNatural } from "../ui/values";

export interface RunPaths {
  charts: string[];
  system: string[];
  texts: string[];
  histograms: string[];
}

export const isNumeric = ({ kind }: Pick<Figures, "kind">): boolean =>
  kind === "number" || kind === "bool";

/** The metrics that a fork has inherited: they have no figures of their own. */
export function inheritedPaths(
  figures: Figures[] | undefined,
  paths: string[] | undefined,
): string[] {
  if (!figures || !paths) return [];
  const own = new Set(figures.map(({ path }) => path));
  return paths.filter((path) => !own.has(path));
}

/** Sort metrics by kind; `columns` of the project tell the kinds of inherited ones. */
export function runPaths(
  figures: Figures[],
  inherited: string[],
  columns: Columns | undefined,
): RunPaths {
  const inheritedSet = new Set(inherited);
  const inheritedOf = (isKind: (metric: { kind: string }) => boolean) => {
    const metrics = (columns?.metrics ?? []).filter(
      (metric) => inheritedSet.has(metric.path) && isKind(metric),
    );
    const paths = new Set(metrics.map(({ path }) => path));
    return inherited.filter((path) => paths.has(path));
  };
  const ofKind = (kind: string) => [
    ...figures.filter((metric) => metric.kind === kind).map(({ path }) => path),
    ...inheritedOf((metric) => metric.kind === kind),
  ];
  const numeric = figures.filter(isNumeric);
  const onAxis = (axis: Figures["axis"]) =>
    numeric.filter((metric) => metric.axis === axis).map(({ path }) => path);
  return {
    charts: [...onAxis("step"), ...inheritedOf(isNumeric)].sort(compareNatural),
    system: onAxis("time"),
    texts: ofKind("text"),
    histograms: ofKind("histogram"),
  };
}
