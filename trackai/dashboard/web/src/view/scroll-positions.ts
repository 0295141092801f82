// Scroll positions are kept with each entry of the history, and restored on the way back.

import type { RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

const boxes = new Map<string, HTMLElement>();

/** The positions of the boxes on this page, and those of other pages. */
export function scrollPositions(): Record<string, number> {
  const current = [...boxes].map(([name, box]) => [name, box.scrollTop]);
  return { ...history.state, ...Object.fromEntries(current) };
}

/** Only the positions of other pages, for a change that shows other rows here. */
export function otherScrollPositions(): Record<string, number> {
  return Object.fromEntries(Object.entries(scrollPositions()).filter(([name]) => !boxes.has(name)));
}

/** Store the position of a box, and restore it when the box is ready or its content changes. */
export function useScrollPosition(
  box: RefObject<HTMLElement>,
  name: string,
  ready: boolean,
  content = "",
): void {
  const shown = useRef<string>();
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const position = ready ? (history.state?.[name] ?? 0) : 0;
    const key = `${name}\u0000${content}`;
    // New content is at its start without being moved there, which takes a layout.
    if (position > 0 || (shown.current ?? key) !== key) element.scrollTop = position;
    shown.current = key;
    if (ready) boxes.set(name, element);
    return () => {
      boxes.delete(name);
    };
  }, [name, ready, content]);
}
