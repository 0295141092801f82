// All runs that match the filter, with the values of some fields.

import { usePolled } from "../api/polling";
import { getRunColumns, type RunColumns } from "../api/sweeps";
import type { ComparedRun } from "../compare/compared-runs";
import { batchFields } from "../compare/request-batches";

const POLL_MS = 30_000;

export interface SweepRuns {
  runs: ComparedRun[];
  /** How many runs match; `runs` are the newest of them. */
  total: number;
}

/** The runs of several requests, each with the values of all. */
export function joinColumns(parts: RunColumns[]): SweepRuns {
  const runs = new Map<number, ComparedRun>();
  for (const { run_ids, names, states, values } of parts) {
    const fields = Object.entries(values);
    for (const [index, id] of run_ids.entries()) {
      let run = runs.get(id);
      if (!run) {
        run = {
          id,
          name: names[index] as string,
          state: states[index] ?? "completed",
          values: {},
        };
        runs.set(id, run);
      }
      for (const [field, column] of fields) run.values[field] = column[index] ?? null;
    }
  }
  return { runs: [...runs.values()], total: Math.max(0, ...parts.map(({ total }) => total)) };
}

export function useSweepRuns(projectId: number, fields: string[], filter: string) {
  const key = fields.join("\n");
  const { data, error } = usePolled(
    async () => {
      const batches = fields.length > 0 ? batchFields(fields) : [];
      const parts = batches.map((batch) => getRunColumns(projectId, batch, filter));
      return { key, filter, sweep: joinColumns(await Promise.all(parts)) };
    },
    POLL_MS,
    [projectId, key, filter],
  );
  // What was fetched for other fields lacks some of these.
  const isCurrent = data?.key === key && data.filter === filter;
  return { sweep: isCurrent ? data.sweep : undefined, error };
}
