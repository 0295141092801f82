// The figures that a table shows by default are as many as fit beside names, states and times.

import type { RefObject } from "preact";
import { useLayoutEffect } from "preact/hooks";
import { defaultColumns } from "../view/table-columns";
import { NUMBER_WIDTH } from "./column-styles";

// The boxes, the states and the times.
const OTHERS = 30 + 92 + 100;

export function useDefaultColumns(box: RefObject<HTMLElement>, figures: string[]): void {
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const measure = () => {
      const name = element.querySelector(".head .cell.wide");
      const room = element.clientWidth - OTHERS - (name ? minWidthOf(name) : 0);
      const count = Math.max(0, Math.floor(room / NUMBER_WIDTH));
      const fitting = figures.slice(0, count);
      if (fitting.join("\n") !== defaultColumns.peek().join("\n")) defaultColumns.value = fitting;
    };
    // It also calls once after the layout of this frame, before anything is painted.
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [figures.join("\n")]);
  useLayoutEffect(
    () => () => {
      defaultColumns.value = [];
    },
    [],
  );
}

/** What a cell takes at least; the rest of the row's width goes to it as well. */
const minWidthOf = (cell: Element): number => Number.parseFloat(getComputedStyle(cell).flexBasis);
