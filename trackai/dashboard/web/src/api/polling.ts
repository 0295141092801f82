// Data that is fetched again while the page is visible.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { toJson } from "../ui/json";
import { errorMessage, isNotFound } from "./client";
import { startPolling } from "./poller";

// After a failure and in a hidden page, the next try follows soon, even without an interval.
const RETRY_MS = 3000;

interface State<T> {
  data?: T;
  /** Empty for an unreachable server, which has a banner of its own. */
  error?: string;
  /** Whether the last request found nothing; `data` is what was there before. */
  notFound?: boolean;
}

export interface Polled<T> extends State<T> {
  refresh: () => void;
}

/** Fetch now, when a dependency changes, and every `interval` milliseconds (0: once). */
export function usePolled<T>(
  fetchData: () => Promise<T>,
  interval: number,
  dependencies: unknown[],
): Polled<T> {
  const [state, setState] = useState<State<T>>({});
  const [refreshes, setRefreshes] = useState(0);
  const shown = useRef("");
  const retryDelay = Math.min(interval || RETRY_MS, RETRY_MS);
  // Other effects wait for the next frame, and a response may be there already.
  useLayoutEffect(
    () =>
      startPolling(async (signal) => {
        if (document.hidden) return retryDelay;
        try {
          const data = await fetchData();
          // Unchanged data is not rendered again.
          const text = toJson(data);
          if (!signal.aborted && text !== shown.current) setState({ data });
          if (!signal.aborted) shown.current = text;
          return interval || undefined;
        } catch (problem) {
          // Keep showing the old data: the server may only be restarting.
          shown.current = "";
          const [error, notFound] = [errorMessage(problem), isNotFound(problem)];
          if (!signal.aborted) setState((before) => ({ data: before.data, error, notFound }));
          return retryDelay;
        }
      }),
    [...dependencies, refreshes],
  );
  return { ...state, refresh: () => setRefreshes(refreshes + 1) };
}
