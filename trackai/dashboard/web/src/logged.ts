// Which metrics the chosen runs have: a project may have many that they have not.

import { useEffect, useState } from "preact/hooks";
import { ask, type Columns } from "./api";

// As many as one question may hold.
const MOST = 1000;

/** Those of `paths` that at least one of the runs has. */
async function loggedOf(runIds: number[], paths: string[], signal: AbortSignal): Promise<string[]> {
  const found = new Set<string>();
  for (let at = 0; at < paths.length; at += MOST) {
    // Charts beyond all steps hold nothing, and are there for each metric that a run has, or has inherited.
    const body = {
      run_ids: runIds,
      metric_paths: paths.slice(at, at + MOST),
      points: 10,
      step_min: Number.MAX_SAFE_INTEGER,
    };
    const answer = await ask<Record<string, Record<string, unknown>>>(
      "POST",
      "/api/metrics/compare",
      body,
      signal,
    );
    for (const of of Object.values(answer)) for (const path of Object.keys(of)) found.add(path);
  }
  return [...found];
}

/** The metrics to draw for these runs of a project, which has `total` runs; undefined while that is not known. */
export function useLogged(
  runIds: number[],
  known: Columns | undefined,
  total: number | undefined,
): string[] | undefined {
  const [some, setSome] = useState<string[]>();
  const all = known?.metrics.filter((one) => one.kind !== "text" && one.kind !== "histogram") ?? [];
  const unsure = total === undefined ? [] : all.filter((one) => one.runs < total);
  const asked = JSON.stringify([runIds, unsure.map((one) => [one.path, one.runs])]);
  useEffect(() => {
    if (unsure.length === 0 || runIds.length === 0) return;
    const stop = new AbortController();
    const paths = unsure.map((one) => one.path);
    loggedOf(runIds, paths, stop.signal).then(setSome, () => {
      // Better too many than none.
      if (!stop.signal.aborted) setSome(paths);
    });
    return () => stop.abort();
  }, [asked]);
  if (!known || total === undefined) return undefined;
  if (unsure.length > 0 && runIds.length > 0 && !some) return undefined;
  const shown = new Set(some);
  return all.filter((one) => one.runs >= total || shown.has(one.path)).map((one) => one.path);
}
