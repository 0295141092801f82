// Data that is fetched again while the page is visible.

import { useEffect, useRef, useState } from "preact/hooks";
import { errorMessage, isNotFound } from "./client";

// Failed requests are retried after at most this time, even if they are not polled.
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
  useEffect(() => {
    let stopped = false;
    let timer = 0;
    const load = async () => {
      let delay = interval;
      if (!document.hidden) {
        try {
          const data = await fetchData();
          // Unchanged data is not rendered again.
          const text = JSON.stringify(data);
          if (!stopped && text !== shown.current) setState({ data });
          if (!stopped) shown.current = text;
        } catch (problem) {
          // Keep showing the old data: the server may only be restarting.
          shown.current = "";
          const [error, notFound] = [errorMessage(problem), isNotFound(problem)];
          if (!stopped) setState((before) => ({ data: before.data, error, notFound }));
          delay = interval > 0 ? Math.min(interval, RETRY_MS) : RETRY_MS;
        }
      }
      if (!stopped && delay > 0) timer = window.setTimeout(load, delay);
    };
    void load();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [...dependencies, refreshes]);
  return { ...state, refresh: () => setRefreshes(refreshes + 1) };
}
