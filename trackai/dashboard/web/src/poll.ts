// Asking again: what is shown stays current while its page is looked at.

import { useEffect, useState } from "preact/hooks";

export interface Asked<T> {
  data?: T;
  error?: string;
}

/** The answer to a question, asked again every so many milliseconds while the page is visible. */
export function usePolled<T>(ask: () => Promise<T>, every: number, dependencies: unknown[]): Asked<T> {
  const [asked, setAsked] = useState<Asked<T>>({});
  useEffect(() => {
    let stopped = false;
    let timer = 0;
    const again = async () => {
      if (!document.hidden) {
        try {
          const data = await ask();
          if (!stopped) setAsked({ data });
        } catch (error) {
          // What was shown stays: a server that restarts is back in a moment.
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
  }, dependencies);
  return asked;
}
