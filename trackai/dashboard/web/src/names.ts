// What runs are called, of those that have been seen.

import { signal } from "@preact/signals";
import * as api from "./api";

export const names = signal<Map<number, string>>(new Map());
const asked = new Set<number>();
// As many comparisons as a filter may have.
const MOST = 100;

export function learn(runs: api.Run[]): void {
  const news = runs.filter((run) => names.peek().get(run.id) !== (run.name ?? run.run_id));
  if (news.length === 0) return;
  const next = new Map(names.peek());
  for (const run of news) next.set(run.id, run.name ?? run.run_id);
  names.value = next;
}

/** Ask for the names of runs that are shown and have not been seen: a link may have chosen them. */
export async function lookUp(ids: number[]): Promise<void> {
  const missing = ids.filter((id) => !names.peek().has(id) && !asked.has(id)).slice(0, MOST);
  if (missing.length === 0) return;
  for (const id of missing) asked.add(id);
  const filter = missing.map((id) => `id = ${id}`).join(" or ");
  learn((await api.runs({ filter, limit: MOST, offset: 0 })).runs);
}
