// The runs of a comparison, with the values of some fields.

import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { errorMessage } from "../api/client";
import { startPolling } from "../api/poller";
import { idFilter, listRuns, runName } from "../api/runs";
import type { State } from "../api/types";
import { toJson } from "../ui/json";
import { batchFields, MAX_RUNS } from "./request-batches";

const POLL_MS = 5000;
// Finished runs are deleted or edited at most.
const POLL_FINISHED_MS = 30_000;

export interface ComparedRun {
  id: number;
  name: string;
  state: State;
  values: Record<string, unknown>;
}

/** The run under the cursor in any part of the page. */
export const hoveredRun = signal<number | undefined>(undefined);

async function fetchRuns(
  ids: number[],
  fields: string[],
  signal: AbortSignal,
): Promise<ComparedRun[]> {
  const runs = new Map<number, ComparedRun>();
  for (let start = 0; start < ids.length; start += MAX_RUNS) {
    const filter = idFilter(ids.slice(start, start + MAX_RUNS));
    for (const batch of batchFields(fields)) {
      const columns = batch.join(",") || undefined;
      const page = await listRuns({ filter, columns, limit: MAX_RUNS, offset: 0 }, signal);
      for (const run of page.runs) {
        const values = { ...runs.get(run.id)?.values, ...run.values };
        runs.set(run.id, { id: run.id, name: runName(run), state: run.state, values });
      }
    }
  }
  return ids.flatMap((id) => runs.get(id) ?? []);
}

/** The runs in the order of `ids`; those that are deleted meanwhile go. */
export function useComparedRuns(
  ids: number[],
  fields: string[],
): { runs: ComparedRun[] | undefined; error: string } {
  const [runs, setRuns] = useState<ComparedRun[]>();
  const [error, setError] = useState("");
  useEffect(() => {
    if (fields.length === 0) return;
    let shown = "";
    return startPolling(async (signal) => {
      if (document.hidden) return POLL_MS;
      try {
        const fetched = await fetchRuns(ids, fields, signal);
        const text = toJson(fetched);
        if (text !== shown) setRuns(fetched);
        shown = text;
        setError("");
        return fetched.some((run) => run.state === "running") ? POLL_MS : POLL_FINISHED_MS;
      } catch (problem) {
        if (!signal.aborted) setError(errorMessage(problem));
        return POLL_MS;
      }
    });
  }, [ids.join(), fields.join("\u0000")]);
  return { runs, error };
}
