// The title of the browser tab.

import { useEffect } from "preact/hooks";

/** Set the title, from the most specific part to the least; unknown parts are left out. */
export function usePageTitle(...parts: (string | undefined)[]): void {
  const title = [...parts.filter(Boolean), "TrackAI"].join(" · ");
  useEffect(() => {
    document.title = title;
  }, [title]);
}
