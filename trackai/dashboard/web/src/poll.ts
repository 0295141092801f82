// Asking again: what is shown stays current while its page is looked at.

import { useEffect, useRef, useState } from "preact/hooks";
import { isGone, said } from "./api";

// What has failed is asked for again soon, also what is asked for once.
const AFTER_FAILURE = 3000;

export interface Asked<T> {
  data?: T;
  /** What is wrong; empty where the whole page says it. */
  error?: string;
  /** Whether there is no such thing, or not any more: `data` is what it was. */
  gone?: boolean;
  /** Ask now, not only when it is time. */
  again: () => void;
}

/** The answer to a question, asked again every so many milliseconds while the page is visible. */
export function usePolled<T>(
  ask: () => Promise<T>,
  every: number,
  dependencies: unknown[],
): Asked<T> {
  const [asked, setAsked] = useState<{ data?: T; error?: string; gone?: boolean }>({});
  const [now, setNow] = useState(0);
  const shown = useRef("");
  useEffect(() => {
    let stopped = false;
    let timer = 0;
    const again = async () => {
      let next = every;
      if (!document.hidden) {
        try {
          const data = await ask();
          // What has not changed is not drawn again.
          const now = JSON.stringify(data);
          if (!stopped && now !== shown.current) setAsked({ data });
          if (!stopped) shown.current = now;
        } catch (problem) {
          // What was shown stays: a server that restarts is back in a moment.
          shown.current = "";
          if (!stopped)
            setAsked((before) => ({
              data: before.data,
              error: said(problem),
              gone: isGone(problem),
            }));
          next = every > 0 ? Math.min(every, AFTER_FAILURE) : AFTER_FAILURE;
        }
      }
      if (!stopped && next > 0) timer = window.setTimeout(again, next);
    };
    void again();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [...dependencies, now]);
  return { ...asked, again: () => setNow(now + 1) };
}
