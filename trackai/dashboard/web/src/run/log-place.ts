// Where a line is: when it was printed, and the step of the run.

import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { errorMessage } from "../api/client";
import { getLog } from "../api/media";
import type { LogLine } from "../api/types";
import { formatDateTime } from "../ui/format";
import { readStored, store } from "../ui/storage";

const STORAGE_KEY = "log-places";

/** Whether times and steps are shown beside lines; this browser keeps it. */
export const showsPlaces = signal(readStored(STORAGE_KEY) !== "off");

export function setShowsPlaces(isOn: boolean): void {
  showsPlaces.value = isOn;
  store(STORAGE_KEY, isOn ? "on" : "off");
}

export function describePlace({ timestamp, step, run_step }: LogLine): string {
  const time = formatDateTime(Date.parse(timestamp) / 1000);
  if (step !== null) return `${time}, step ${step}`;
  return run_step === null ? time : `${time}, after step ${run_step}`;
}

/**
 * The number of the line at a step, or at a time for a log without steps; undefined until it is
 * known.
 */
export function useLineAt(
  runId: number,
  path: string,
  at: string,
): { line: number | undefined; error: string } {
  const [found, setFound] = useState<{ line: number | undefined; error: string }>({
    line: undefined,
    error: "",
  });
  useEffect(() => {
    if (!at) return;
    const isStep = Number.isFinite(Number(at));
    const query = isStep ? { from_step: at } : { from_time: at };
    getLog(runId, { metric: path, limit: 1, ...query }).then(
      ({ lines }) => setFound({ line: lines[0]?.number, error: "" }),
      (problem) => setFound({ line: undefined, error: errorMessage(problem) }),
    );
  }, [runId, path, at]);
  return found;
}
