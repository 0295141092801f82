// The line of the row under the cursor: all charts show it before the others.

import { effect, signal } from "@preact/signals";
import type { RefObject } from "preact";
import { useEffect } from "preact/hooks";
import type uPlot from "uplot";
import type { DrawnChart } from "./y-range";

export const hoveredLine = signal<string | undefined>(undefined);

/** Handlers of an element that stands for a line. */
export const hoverHandlers = (key: string) => {
  const enter = () => {
    hoveredLine.value = key;
  };
  const leave = () => {
    if (hoveredLine.peek() === key) hoveredLine.value = undefined;
  };
  return { onMouseEnter: enter, onMouseLeave: leave, onFocusIn: enter, onFocusOut: leave };
};

/** The opacity of the other lines. */
export const OTHERS_ALPHA = 0.15;

export function useHoveredLine(
  plot: RefObject<uPlot | undefined>,
  drawn: RefObject<DrawnChart | undefined>,
): void {
  useEffect(
    () =>
      effect(() => {
        const key = hoveredLine.value;
        const lines = drawn.current?.lines ?? [];
        const index = lines.findIndex((line) => line.key === key);
        // The series of lines are the last.
        const first = (plot.current?.series.length ?? 0) - lines.length;
        plot.current?.setSeries(index < 0 ? null : first + index, { focus: true });
      }),
    [],
  );
}
