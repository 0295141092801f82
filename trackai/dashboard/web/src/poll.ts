// Asking again: what is shown stays current while its page is looked at.

import { useEffect, useRef, useState } from "preact/hooks";

export interface Asked<T> {
  data?: T;
  error?: string;
  /** Ask now, not only when it is time. */
  again: () => void;
}

/** The answer to a question, asked again every so many milliseconds while the page is visible. */
export function usePolled<T>(ask: () => Promise<T>, every: number, dependencies: unknown[]): Asked<T> {
  const [asked, setAsked] = useState<{ data?: T; error?: string }>({});
  const [now, setNow] = useState(0);
  const shown = useRef("");
  useEffect(() => {
    let stopped = false;
    let timer = 0;
    const again = async () => {
      if (!document.hidden) {
        try {
          const data = await ask();
          // What has not changed is not drawn again.
          const said = JSON.stringify(data);
          if (!stopped && said !== shown.current) setAsked({ data });
          if (!stopped) shown.current = said;
        } catch (error) {
          // What was shown stays: a server that restarts is back in a moment.
          shown.current = "";
          if (!stopped) setAsked((before) => ({ data: before.data, error: String(error) }));
        }
      }
      if (!stopped && every > 0) timer = window.setTimeout(again, every);
    };
    void again();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [...dependencies, now]);
  return { ...asked, again: () => setNow(now + 1) };
}
