// Where the pointer drops a panel, and how it resizes one.

import { COLUMNS, HEIGHTS, MIN_WIDTH, type Place } from "./layout";

export interface Size {
  width: number;
  height: number;
}

const clamped = (value: number, low: number, high: number): number =>
  Math.min(high, Math.max(low, Math.round(value)));

/** The size of a panel whose corner was moved by some pixels, in a grid of `gridWidth` pixels. */
export const resized = (
  { width, height }: Size,
  moved: { x: number; y: number },
  gridWidth: number,
): Size => ({
  width: clamped(width + (moved.x / gridWidth) * COLUMNS, MIN_WIDTH, COLUMNS),
  height: clamped(height + moved.y, HEIGHTS.min, HEIGHTS.max),
});

/** Where a panel would be dropped; undefined where it cannot be. */
export function placeAt(x: number, y: number, dragged: string): Place | undefined {
  const target = document.elementFromPoint(x, y);
  const panel = target?.closest<HTMLElement>("[data-panel]");
  const id = panel?.dataset.panel;
  if (panel && id !== undefined) {
    if (id === dragged) return undefined;
    const { left, width } = panel.getBoundingClientRect();
    return { beside: id, side: x < left + width / 2 ? "before" : "after" };
  }
  const section = target?.closest<HTMLElement>("[data-section]")?.dataset.section;
  return section === undefined ? undefined : { section: Number(section), end: "last" };
}

// How near to an edge the pointer scrolls, and by how much with each event, in pixels.
const EDGE = 60;
const SCROLL = 18;

export function scrollNearEdge({ clientY }: PointerEvent): void {
  const box = document.getElementById("charts");
  if (!box) return;
  const { top, bottom } = box.getBoundingClientRect();
  if (clientY < top + EDGE) box.scrollBy(0, -SCROLL);
  else if (clientY > bottom - EDGE) box.scrollBy(0, SCROLL);
}
