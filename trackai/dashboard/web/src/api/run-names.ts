// A cache of run names.

import { signal } from "@preact/signals";
import { idFilter, listRuns, runName } from "./runs";
import type { Run } from "./types";

export const runNames = signal<Map<number, string>>(new Map());
/** The runs that were requested and do not exist. */
export const missingRuns = signal<Set<number>>(new Set());
const requested = new Set<number>();
// The server limits the comparisons of a filter to 100, and the archive and the trash need two.
const MAX_IDS = 98;

export const nameOf = (id: number): string => runNames.value.get(id) ?? `run ${id}`;

export function rememberNames(runs: Run[]): void {
  const changed = runs.filter((run) => runNames.peek().get(run.id) !== runName(run));
  if (changed.length === 0) return;
  const names = new Map(runNames.peek());
  for (const run of changed) names.set(run.id, runName(run));
  runNames.value = names;
}

/** Note runs that do not exist, or no longer. */
export function noteMissing(ids: number[]): void {
  const known = missingRuns.peek();
  if (ids.some((id) => !known.has(id))) missingRuns.value = new Set([...known, ...ids]);
}

/** Fetch the names that are not cached, such as those of runs that a link selects. */
export async function fetchNames(ids: number[]): Promise<void> {
  const unknown = ids.filter((id) => !runNames.peek().has(id) && !requested.has(id));
  for (const id of unknown) requested.add(id);
  for (let start = 0; start < unknown.length; start += MAX_IDS) {
    const batch = unknown.slice(start, start + MAX_IDS);
    try {
      const { runs } = await listRuns({ filter: idFilter(batch), limit: MAX_IDS, offset: 0 });
      rememberNames(runs);
      noteMissing(batch.filter((id) => !runs.some((run) => run.id === id)));
    } catch {
      // The next call requests them again.
      for (const id of batch) requested.delete(id);
    }
  }
}
