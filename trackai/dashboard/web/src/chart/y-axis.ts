// The range of a y axis by hand: dragging over the axis sets it, a double click resets it.

import type uPlot from "uplot";
import { replaceParameters } from "../view/address";
import { yLimits } from "../view/parameters";
import { type Limits, printLimits } from "../view/parsing";

// A shorter drag is a click, in pixels.
const MIN_DRAG = 4;

/** Set the range of the y axis of a metric; undefined makes it automatic again. */
export function setYLimits(path: string, limits: Limits | undefined): void {
  const all = new Map(yLimits.peek());
  all.delete(path);
  if (limits) all.set(path, limits);
  replaceParameters({ yrange: printLimits(all) });
}

const isYAxis = (target: EventTarget | null, plot: uPlot): boolean =>
  target === plot.root.querySelectorAll(".u-axis")[1];

/** On a double click on the axis, make its range automatic; returns whether it was one. */
export function resetYAxis(event: MouseEvent, plot: uPlot | undefined, path: string): boolean {
  if (!plot || !isYAxis(event.target, plot)) return false;
  setYLimits(path, undefined);
  return true;
}

/** Select a part of the axis with the pointer. */
export function dragYAxis(event: PointerEvent, plot: uPlot, path: string): void {
  if (event.button !== 0 || !isYAxis(event.target, plot)) return;
  const axis = event.target as HTMLElement;
  const { top, height } = axis.getBoundingClientRect();
  const clamp = (y: number) => Math.min(height, Math.max(0, y - top));
  const start = clamp(event.clientY);
  const drag = new AbortController();
  const partTo = (y: number) => [Math.min(start, clamp(y)), Math.max(start, clamp(y))] as const;
  const select = (low: number, high: number) =>
    plot.setSelect(
      { left: 0, width: high > low ? plot.over.clientWidth : 0, top: low, height: high - low },
      false,
    );
  const move = (moved: PointerEvent) => select(...partTo(moved.clientY));
  const end = (ended: PointerEvent) => {
    drag.abort();
    select(0, 0);
    const [high, low] = partTo(ended.clientY);
    if (ended.type === "pointercancel" || low - high < MIN_DRAG) return;
    setYLimits(path, { min: valueAt(plot, low), max: valueAt(plot, high) });
  };
  axis.setPointerCapture(event.pointerId);
  axis.addEventListener("pointermove", move, drag);
  for (const name of ["pointerup", "pointercancel"] as const)
    axis.addEventListener(name, end, drag);
}

/** The value at a pixel, without digits that one pixel more would change. */
function valueAt(plot: uPlot, pixel: number): number {
  const value = plot.posToVal(pixel, "y");
  const { min = 0, max = 1, distr } = plot.scales.y ?? {};
  if (distr === 3) return Number(value.toPrecision(3));
  const unit = 10 ** Math.max(-300, Math.floor(Math.log10((max - min) / plot.over.clientHeight)));
  return Number((Math.round(value / unit) * unit).toPrecision(12));
}
