// What the tab of the browser says: with many of them open, that is all one sees of a page.

import { useEffect } from "preact/hooks";

/** Call the page by what it shows, from the part to the whole; what is not known yet is left out. */
export function useTitle(...parts: (string | undefined)[]): void {
  const title = [...parts.filter(Boolean), "TrackAI"].join(" · ");
  useEffect(() => {
    document.title = title;
  }, [title]);
}
