// How far boxes are scrolled is kept with an entry of the history: who comes back to it is where they were.

import type { RefObject } from "preact";
import { useLayoutEffect } from "preact/hooks";

const boxes = new Map<string, HTMLElement>();

/** Where the boxes of the page are, and where those of other pages were. */
export function places(): Record<string, number> {
  return {
    ...history.state,
    ...Object.fromEntries([...boxes].map(([name, box]) => [name, box.scrollTop])),
  };
}

/** Only those of other pages: what this one shows will be another thing. */
export function elsewhere(): Record<string, number> {
  return Object.fromEntries(Object.entries(places()).filter(([name]) => !boxes.has(name)));
}

/** Keep where a box is, and put it there again as soon as it is `ready`, each time that it shows something else. */
export function useScrolled(
  box: RefObject<HTMLElement>,
  name: string,
  ready: boolean,
  shows = "",
): void {
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    element.scrollTop = ready ? (history.state?.[name] ?? 0) : 0;
    if (ready) boxes.set(name, element);
    return () => void boxes.delete(name);
  }, [name, ready, shows]);
}
