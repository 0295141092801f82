// How wide the cells of each column are, and where the pinned ones stay.

import { computed } from "@preact/signals";
import type { JSX } from "preact";
import { baselineId } from "../view/parameters";
import { columnWidths, NAME, pinnedColumns } from "../view/table-columns";

export type CellStyle = JSX.CSSProperties | undefined;

// As in table.css. A column of differences is wider.
const DEFAULT_WIDTHS: Record<string, number> = { state: 92, created_at: 108 };
export const NUMBER_WIDTH = 104;
const COMPARED_WIDTH = 148;

export const widthOf = (field: string): number =>
  columnWidths.value[field] ??
  DEFAULT_WIDTHS[field] ??
  (baselineId.value === undefined ? NUMBER_WIDTH : COMPARED_WIDTH);

/** The styles of the columns that are pinned or have widths of their own. */
export const cellStyles = computed(() => {
  const styles = new Map<string, CellStyle>();
  for (const [field, width] of Object.entries(columnWidths.value)) {
    if (field !== NAME) styles.set(field, { width: `${width}px` });
  }
  let left = 0;
  for (const field of pinnedColumns.value) {
    // After the boxes and the names.
    const edge = `calc(30px + var(--name) + ${left}px)`;
    styles.set(field, { ...styles.get(field), left: edge });
    left += widthOf(field);
  }
  return styles;
});

/** The width of names that was set by hand, as a property of the table. */
export const nameStyle = (): CellStyle => {
  const width = columnWidths.value[NAME];
  return width === undefined ? undefined : { "--name": `${width}px` };
};

const KINDS: Record<string, string> = { state: "state", created_at: "created" };

/** The classes of a cell. */
export const cellClass = (field: string): string => {
  const kind = KINDS[field] ?? "number";
  return pinnedColumns.value.includes(field) ? `cell ${kind} pinned` : `cell ${kind}`;
};
