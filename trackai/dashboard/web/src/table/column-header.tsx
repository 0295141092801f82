// The header of a column, which sorts the table, and is moved, pinned and resized.

import { useRef } from "preact/hooks";
import { go } from "../view/address";
import { sortField, sortOrder } from "../view/parameters";
import {
  isFixed,
  NAME,
  pinnedColumns,
  removeColumn,
  resized,
  setWidth,
  shiftColumn,
  togglePin,
  WIDTHS,
} from "../view/table-columns";
import { cellClass, cellStyles } from "./column-styles";

interface Props {
  name: string;
  field: string;
  /** Text is first sorted from A to Z, numbers and times from the greatest. */
  isText?: boolean;
  /** Where a dragged column would be put. */
  drop?: "before" | "after";
  /** Says what a key has done. */
  onChange: (change: string) => void;
}

const MOVES = "\nDrag it, or Shift+← →, to move it; P pins it";
const KEYS = "Shift+ArrowLeft Shift+ArrowRight [ ] P Delete";

export function ColumnHeader({ name, field, isText = false, drop, onChange }: Props) {
  const cell = useRef<HTMLSpanElement>(null);
  const isSorted = sortField.value === field;
  const isDescending = sortOrder.value === "desc";
  const [first, second] = isText ? ["asc", "desc"] : ["desc", "asc"];
  const nextOrder = isSorted && sortOrder.value === first ? second : first;
  const isName = field === NAME;
  const onKeyDown = (event: KeyboardEvent) => {
    const width = cell.current?.offsetWidth ?? 0;
    const change = changeByKey(event, field, name, width);
    if (!change) return;
    event.preventDefault();
    onChange(change);
    // The cell may have been moved, which ends the focus.
    const head = cell.current?.parentElement;
    requestAnimationFrame(() => focusColumn(head, field));
  };
  return (
    <span
      ref={cell}
      class={isName ? "cell wide" : cellClass(field)}
      style={cellStyles.value.get(field)}
      role="columnheader"
      aria-sort={isSorted ? (isDescending ? "descending" : "ascending") : "none"}
      data-column={isName ? undefined : field}
      data-drop={drop}
    >
      <button
        type="button"
        title={`Sort by ${field}${isName ? "" : MOVES}\n[ and ] set the width`}
        aria-keyshortcuts={isName ? "[ ]" : KEYS}
        onClick={() => go({ sort: field, order: nextOrder })}
        onKeyDown={onKeyDown}
      >
        {name}
        {isSorted && <span aria-hidden="true">{isDescending ? " ↓" : " ↑"}</span>}
      </button>
      <Edge field={field} />
    </span>
  );
}

/** The right edge of a column, which is dragged; a double click resets the width. */
function Edge({ field }: { field: string }) {
  const start = useRef<{ x: number; width: number }>();
  return (
    <span
      class="edge"
      aria-hidden="true"
      title="Drag to set the width; double-click for the default"
      onDblClick={() => setWidth(field, undefined)}
      onPointerDown={(event) => {
        if (event.button) return;
        const width = event.currentTarget.parentElement?.offsetWidth ?? 0;
        start.current = { x: event.clientX, width };
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={(event) => {
        if (!start.current || event.clientX === start.current.x) return;
        resized.value = { field, width: start.current.width + event.clientX - start.current.x };
      }}
      onPointerUp={() => {
        // The address changes once: browsers limit how often it may.
        if (resized.value) setWidth(field, resized.value.width);
      }}
      onLostPointerCapture={() => {
        start.current = undefined;
        resized.value = undefined;
      }}
    />
  );
}

/** Change a column by a key; returns what was changed, or "". */
function changeByKey(event: KeyboardEvent, field: string, name: string, width: number): string {
  const { key, shiftKey, ctrlKey, metaKey, altKey } = event;
  if (ctrlKey || metaKey || altKey) return "";
  if (key === "[" || key === "]") {
    setWidth(field, width + (key === "]" ? WIDTHS.step : -WIDTHS.step));
    return `${name}: ${key === "]" ? "wider" : "narrower"}`;
  }
  if (field === NAME) return "";
  if (shiftKey && (key === "ArrowLeft" || key === "ArrowRight")) {
    const [step, side] = key === "ArrowLeft" ? [-1 as const, "left"] : [1 as const, "right"];
    return shiftColumn(field, step) ? `${name}: moved to the ${side}` : `${name}: at the end`;
  }
  if (key.toLowerCase() === "p") {
    togglePin(field);
    return pinnedColumns.peek().includes(field) ? `${name}: pinned` : `${name}: not pinned`;
  }
  if (key === "Delete" && !isFixed(field)) {
    removeColumn(field);
    return `${name}: removed`;
  }
  return "";
}

/** Focus a column's button, or the table if the column has been removed. */
function focusColumn(head: Element | null | undefined, field: string): void {
  const selector = field === NAME ? ".wide button" : `[data-column="${CSS.escape(field)}"] button`;
  const button = head?.querySelector<HTMLElement>(selector);
  const fallback = head?.querySelector<HTMLElement>(".wide button");
  (button ?? fallback)?.focus();
}
