// The metrics that the selected runs have logged, of all metrics of their project.

import { useLayoutEffect, useState } from "preact/hooks";
import { getLoggedPaths } from "../api/charts";
import type { ChoiceBody, Columns } from "../api/types";

/** Returns undefined while it is not known; `totalRuns` is the number of runs in the project. */
export function useLoggedMetrics(
  choice: ChoiceBody | undefined,
  columns: Columns | undefined,
  totalRuns: number | undefined,
): string[] | undefined {
  const [logged, setLogged] = useState<string[]>();
  const metrics = (columns?.metrics ?? []).filter(
    ({ kind }) => kind !== "text" && kind !== "histogram",
  );
  // A metric that all runs have needs no request.
  const unsure = totalRuns === undefined ? [] : metrics.filter(({ runs }) => runs < totalRuns);
  const needsRequest = unsure.length > 0 && choice !== undefined;
  const requestKey = JSON.stringify([choice, unsure.map(({ path, runs }) => [path, runs])]);
  useLayoutEffect(() => {
    if (!needsRequest || !choice) return;
    const abort = new AbortController();
    getLoggedPaths(choice, abort.signal).then(setLogged, () => {
      // After an error, show all of them.
      if (!abort.signal.aborted) setLogged(unsure.map(({ path }) => path));
    });
    return () => abort.abort();
  }, [requestKey]);
  if (!columns || totalRuns === undefined) return undefined;
  if (needsRequest && !logged) return undefined;
  const shown = new Set(logged);
  return metrics
    .filter(({ path, runs }) => runs >= totalRuns || shown.has(path))
    .map(({ path }) => path);
}
