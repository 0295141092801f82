// What runs are called, of those that have been seen.

import { signal } from "@preact/signals";
import * as api from "./api";

export const names = signal<Map<number, string>>(new Map());
/** Those that were asked for, and are not there. */
export const missing = signal<Set<number>>(new Set());
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
  const unknown = ids.filter((id) => !names.peek().has(id) && !asked.has(id));
  for (const id of unknown) asked.add(id);
  for (let at = 0; at < unknown.length; at += MOST) {
    const some = unknown.slice(at, at + MOST);
    try {
      const filter = some.map((id) => `id = ${id}`).join(" or ");
      const { runs } = await api.runs({ filter, limit: MOST, offset: 0 });
      learn(runs);
      const lost = some.filter((id) => !runs.some((run) => run.id === id));
      if (lost.length > 0) missing.value = new Set([...missing.peek(), ...lost]);
    } catch {
      // Whoever looks at them next asks again.
      for (const id of some) asked.delete(id);
    }
  }
}
