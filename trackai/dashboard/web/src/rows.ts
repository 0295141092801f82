// Long lists of which only the rows on screen exist.

import { type RefObject } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

// Browsers cannot make anything taller than some tens of millions of pixels.
const TALLEST = 15_000_000;
const MARGIN = 6;

export interface Window {
  /** The first row to draw, and the one after the last. */
  first: number;
  end: number;
  /** How tall all of it is, and where the first row goes. */
  height: number;
  top: number;
}

/** Which of `total` rows of one height are in sight of a box that scrolls. */
export function useRows(
  box: RefObject<HTMLElement>,
  total: number,
  row: number,
): Window & { reach: (at: number) => void } {
  const [seen, setSeen] = useState({ first: 0, count: 30, offset: 0 });
  const whole = total * row;
  const height = Math.min(whole, TALLEST);
  const now = useRef({ whole, height });
  now.current = { whole, height };

  const look = () => {
    const element = box.current;
    if (!element) return;
    const { whole, height } = now.current;
    const visible = element.clientHeight;
    // Where the list had to be shortened, a pixel of the bar is more than a pixel of the list.
    const share = height > visible ? element.scrollTop / (height - visible) : 0;
    const offset = height === whole ? element.scrollTop : share * (whole - visible);
    const first = Math.max(0, Math.floor(offset / row) - MARGIN);
    const count = Math.ceil(visible / row) + 2 * MARGIN;
    const shortened = height === whole ? 0 : element.scrollTop - offset;
    setSeen((before) =>
      before.first === first && before.count === count && before.offset === shortened
        ? before
        : { first, count, offset: shortened },
    );
  };

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    element.addEventListener("scroll", look, { passive: true });
    // It also looks once at the beginning, when the page has been laid out anyway.
    const watch = new ResizeObserver(look);
    watch.observe(element);
    return () => {
      element.removeEventListener("scroll", look);
      watch.disconnect();
    };
  }, []);

  // Only where a pixel of the bar stands for another line now.
  useLayoutEffect(() => {
    if (height !== whole) look();
  }, [total]);

  const reach = (at: number) => {
    const element = box.current;
    if (!element) return;
    const visible = element.clientHeight;
    const offset = Math.max(0, at * row - visible / 3);
    element.scrollTop =
      height === whole ? offset : (offset / (whole - visible)) * (height - visible);
  };

  const first = Math.min(seen.first, Math.max(0, total - 1));
  return {
    first,
    end: Math.min(total, first + seen.count),
    height,
    top: first * row + seen.offset,
    reach,
  };
}
