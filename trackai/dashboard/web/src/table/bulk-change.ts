// A change of all chosen runs, which the server makes in steps.

import { type BulkAction, changeRuns, ownChanges } from "../api/runs";
import type { ChoiceBody } from "../api/types";
import { grouped, plural } from "../ui/format";

export interface Progress {
  done: number;
  total: number;
}

/**
 * Change all chosen runs; returns their number. An abort stops it after the current step.
 *
 * `onIds` gets the row ids of the runs that a step has archived or trashed, or taken back.
 */
export async function changeAll(
  choice: ChoiceBody,
  action: BulkAction,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
  onIds: (ids: number[]) => void = () => undefined,
): Promise<number> {
  let done = 0;
  let cursor: number | null = 0;
  while (cursor !== null) {
    const step = await changeRuns(choice, action, cursor, signal);
    done += step.changed;
    onIds(step.run_ids ?? []);
    if (step.remaining > 0) onProgress({ done, total: done + step.remaining });
    cursor = signal.aborted ? null : step.cursor;
    if (cursor === null) ownChanges.value += 1;
  }
  return done;
}

// The server takes at most so many ids at once.
const MAX_IDS = 10_000;

/** Change runs by id, in as many requests as it takes. */
export async function changeIds(ids: number[], action: BulkAction): Promise<void> {
  const { signal } = new AbortController();
  for (let start = 0; start < ids.length; start += MAX_IDS) {
    const run_ids = ids.slice(start, start + MAX_IDS);
    await changeAll({ run_ids }, action, () => undefined, signal);
  }
}

export const describeProgress = ({ done, total }: Progress): string =>
  `${grouped(done)} of ${plural(total, "run")} …`;

/** The choice without runs that begin after these, which nobody has seen. */
export function frozen(choice: ChoiceBody, chosen: number[]): ChoiceBody {
  if ("run_ids" in choice) return choice;
  const last = Math.max(0, ...chosen);
  const filter = `(${choice.select.filter}) and id <= ${last}`;
  return { select: { ...choice.select, filter } };
}
