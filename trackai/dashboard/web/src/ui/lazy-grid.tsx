// A grid of cards that grows as it is scrolled: a run may have thousands of metrics.

import type { ComponentChild } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

const FIRST_CARDS = 60;

interface Props {
  paths: string[];
  card: (path: string) => ComponentChild;
  class?: string;
}

export function LazyGrid({ paths, card, class: className = "grid" }: Props) {
  const [count, setCount] = useState(FIRST_CARDS);
  const rest = useRef<HTMLDivElement>(null);
  const missing = Math.max(0, paths.length - count);
  useLayoutEffect(() => {
    const element = rest.current;
    if (!element) return;
    element.style.height = `${heightOf(missing, element)}px`;
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (entry?.isIntersecting) setCount(2 * count);
      },
      { rootMargin: "800px" },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, [count, missing]);
  return (
    <div class={className}>
      {paths.slice(0, count).map(card)}
      {missing > 0 && <div class="rest" ref={rest} />}
    </div>
  );
}

/** The height of cards that are not rendered, so that the scroll bar is about right. */
function heightOf(cards: number, rest: HTMLElement): number {
  const grid = rest.parentElement as HTMLElement;
  const { gridTemplateColumns, rowGap } = getComputedStyle(grid);
  const rows = Math.ceil(cards / gridTemplateColumns.split(" ").length);
  const card = grid.firstElementChild as HTMLElement;
  return rows * (card.offsetHeight + Number.parseFloat(rowGap));
}
