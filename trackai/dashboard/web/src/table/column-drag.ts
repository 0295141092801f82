// Dragging the heads of columns to other places.

import type { JSX, RefObject } from "preact";
import { useRef, useState } from "preact/hooks";
import { placeColumn, shownColumns } from "../view/table-columns";

// Shorter movements are clicks.
const THRESHOLD = 6;

export interface Drop {
  field: string;
  /** How many other columns are before its new place. */
  index: number;
}

/** How many of the columns with these centres are before a place. */
export const dropIndex = (centres: number[], x: number): number =>
  centres.filter((centre) => centre < x).length;

/** Where a column would be dropped, and the handlers of the head. */
export function useColumnDrag(head: RefObject<HTMLElement>) {
  const [drop, setDrop] = useState<Drop>();
  const start = useRef<{ field: string; x: number }>();
  const wasDragged = useRef(false);
  const end = () => {
    start.current = undefined;
    setDrop(undefined);
  };
  const centresWithout = (field: string) =>
    shownColumns
      .peek()
      .filter((other) => other !== field)
      .flatMap((other) => {
        const cell = head.current?.querySelector(`[data-column="${CSS.escape(other)}"]`);
        const box = cell?.getBoundingClientRect();
        return box ? [box.left + box.width / 2] : [];
      });
  const handlers: JSX.HTMLAttributes<HTMLDivElement> = {
    onPointerDown: (event) => {
      wasDragged.current = false;
      // A finger scrolls the table.
      if (event.button || event.pointerType === "touch") return;
      const target = event.target as HTMLElement;
      const field = target.closest<HTMLElement>("[data-column]")?.dataset.column;
      if (field && !target.closest(".edge")) start.current = { field, x: event.clientX };
    },
    onPointerMove: (event) => {
      const from = start.current;
      if (!from || (!drop && Math.abs(event.clientX - from.x) < THRESHOLD)) return;
      if (!drop) event.currentTarget.setPointerCapture(event.pointerId);
      wasDragged.current = true;
      const index = dropIndex(centresWithout(from.field), event.clientX);
      setDrop((before) => (before?.index === index ? before : { field: from.field, index }));
    },
    onPointerUp: () => {
      if (drop) placeColumn(drop.field, drop.index);
      end();
    },
    onLostPointerCapture: end,
    onKeyDown: (event) => {
      if (event.key === "Escape") end();
    },
    // The click after a drag does not sort.
    onClickCapture: (event) => {
      if (wasDragged.current) event.stopPropagation();
      wasDragged.current = false;
    },
  };
  return { drop, handlers };
}
