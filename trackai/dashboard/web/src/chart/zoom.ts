// Zooming: the range of the x axis, which all charts share.

import type uPlot from "uplot";
import type { Range } from "../api/types";
import { go } from "../view/address";
import { fullScreenPath, zoomRange } from "../view/parameters";
import { printRange } from "../view/parsing";

// The chart that the user zoomed last is fetched and drawn first.
let lastZoomedPath = "";

export const isLastZoomed = (path: string): boolean => path === lastZoomedPath;

export function zoomByHand(path: string, axis: string, range: Range): void {
  lastZoomedPath = path;
  zoomTo(axis, range);
}

// The full screen is one entry of the history, whatever is changed in it.
const historyOptions = () => ({ replace: fullScreenPath.value !== undefined });

const zoomTo = (axis: string, range: Range): void =>
  go({ range: printRange(axis, range) }, historyOptions());

export const resetZoom = (): void => go({ range: undefined }, historyOptions());

/** Arrow keys move the cursor, plus and minus zoom around it, Escape resets the zoom. */
export function handleKey(event: KeyboardEvent, plot: uPlot | undefined, axis: string): void {
  if (!plot || event.ctrlKey || event.metaKey || event.altKey) return;
  const direction = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (direction !== undefined) moveCursor(plot, direction, event.shiftKey);
  else if (event.key === "+") zoomTo(axis, aroundCursor(plot, 0.25));
  else if (event.key === "-") zoomTo(axis, aroundCursor(plot, 1));
  else if (event.key === "Escape" && zoomRange.value && !plot.root.closest("dialog")) resetZoom();
  else return;
  event.preventDefault();
}

/** Move the cursor to the next point, or by a twentieth of the points. */
function moveCursor(plot: uPlot, direction: number, fast: boolean): void {
  const { width, height } = plot.over.getBoundingClientRect();
  const [xs] = plot.data;
  const left = plot.cursor.left ?? -1;
  const outside = direction > 0 ? -1 : xs.length;
  const index = left < 0 ? outside : plot.posToIdx(left);
  const distance = direction * (fast ? Math.ceil(xs.length / 20) : 1);
  const x = xs[Math.min(xs.length - 1, Math.max(0, index + distance))];
  if (x === undefined) return;
  plot.setCursor({
    left: Math.min(width, Math.max(0, plot.valToPos(x, "x"))),
    top: height / 2,
  });
}

/** The range around the cursor that reaches a share of the width to both sides. */
function aroundCursor(plot: uPlot, share: number): Range {
  const { width } = plot.over.getBoundingClientRect();
  const left = plot.cursor.left ?? -1;
  const middle = left < 0 ? width / 2 : left;
  return {
    min: plot.posToVal(middle - width * share, "x"),
    max: plot.posToVal(middle + width * share, "x"),
  };
}
