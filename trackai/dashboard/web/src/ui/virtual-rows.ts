// Virtualised lists: only visible rows are rendered.

import type { RefObject } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

// Browsers limit the height of an element to some tens of millions of pixels.
const MAX_HEIGHT = 15_000_000;
const OVERSCAN = 6;

export interface VirtualRows {
  /** The rows to render: from `first` up to, not including, `end`. */
  first: number;
  end: number;
  /** The height of the whole list and the offset of the first rendered row, in pixels. */
  height: number;
  top: number;
  scrollToRow: (row: number) => void;
}

/** Find which of `total` rows are visible in a scrolling element; heights are in pixels. */
export function useVirtualRows(
  box: RefObject<HTMLElement>,
  total: number,
  rowHeight: number,
): VirtualRows {
  const [visible, setVisible] = useState({ first: 0, count: 30, offset: 0 });
  const fullHeight = total * rowHeight;
  const height = Math.min(fullHeight, MAX_HEIGHT);
  const heights = useRef({ fullHeight, height });
  heights.current = { fullHeight, height };

  const update = () => {
    const element = box.current;
    if (!element) return;
    const { fullHeight, height } = heights.current;
    const { scrollTop, clientHeight } = element;
    // In a shortened list, a pixel of the scroll bar is more than a pixel of the list.
    const share = height > clientHeight ? scrollTop / (height - clientHeight) : 0;
    const position = height === fullHeight ? scrollTop : share * (fullHeight - clientHeight);
    const first = Math.max(0, Math.floor(position / rowHeight) - OVERSCAN);
    const count = Math.ceil(clientHeight / rowHeight) + 2 * OVERSCAN;
    const offset = height === fullHeight ? 0 : scrollTop - position;
    setVisible((before) =>
      before.first === first && before.count === count && before.offset === offset
        ? before
        : { first, count, offset },
    );
  };

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    element.addEventListener("scroll", update, { passive: true });
    // The observer also calls once at the start, after the layout.
    const observer = new ResizeObserver(update);
    observer.observe(element);
    return () => {
      element.removeEventListener("scroll", update);
      observer.disconnect();
    };
  }, []);

  // Only in a shortened list does another total move the rows.
  useLayoutEffect(() => {
    if (height !== fullHeight) update();
  }, [total]);

  const scrollToRow = (row: number) => {
    const element = box.current;
    if (!element) return;
    const { clientHeight } = element;
    const position = Math.max(0, row * rowHeight - clientHeight / 3);
    element.scrollTop =
      height === fullHeight
        ? position
        : (position / (fullHeight - clientHeight)) * (height - clientHeight);
  };

  const first = Math.min(visible.first, Math.max(0, total - 1));
  return {
    first,
    end: Math.min(total, first + visible.count),
    height,
    top: first * rowHeight + visible.offset,
    scrollToRow,
  };
}
