// The runs that are chosen, as the server lists those that match a filter.

import { useEffect, useMemo, useState } from "preact/hooks";
import { errorMessage } from "../api/client";
import { startPolling } from "../api/poller";
import { listMatchingIds } from "../api/runs";
import { anyOf, type Choice, chosenIds } from "./choice";

const POLL_MS = 5000;

interface Matching {
  key: string;
  ids: number[];
  error: string;
}

interface ChosenRuns {
  /** Undefined while they are not known. */
  ids: number[] | undefined;
  error: string;
}

/** The row ids of the chosen runs; of those that match a filter, the newest come first. */
export function useChosenRuns(projectId: number, choice: Choice | undefined): ChosenRuns {
  const [matching, setMatching] = useState<Matching>();
  const filters = choice?.filters ?? [];
  const key = [projectId, ...filters].join("\u0000");
  const isFiltered = filters.length > 0;
  useEffect(() => {
    if (!isFiltered) return;
    return startPolling(async (signal) => {
      if (document.hidden && matching?.key === key) return POLL_MS;
      try {
        const ids = (await listMatchingIds(projectId, anyOf(filters), signal)).reverse();
        setMatching((before) =>
          before?.key === key && before.ids.join() === ids.join() && !before.error
            ? before
            : { key, ids, error: "" },
        );
      } catch (problem) {
        if (signal.aborted) return undefined;
        const error = errorMessage(problem);
        setMatching((before) => ({ key, ids: before?.key === key ? before.ids : [], error }));
      }
      return POLL_MS;
    });
  }, [key, isFiltered]);
  const known = isFiltered ? (matching?.key === key ? matching.ids : undefined) : [];
  const choiceKey = choice && [choice.ids, choice.except].map(String).join(";");
  const ids = useMemo(
    () => choice && known && chosenIds(choice, known),
    [choiceKey, isFiltered ? known : undefined, key],
  );
  return { ids, error: isFiltered && matching?.key === key ? matching.error : "" };
}
