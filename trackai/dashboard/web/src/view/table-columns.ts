// The columns of the table: which, in what order, which are pinned, and how wide they are.
// The address says so, else the shown view, else the metrics that a project has.

import { computed, type ReadonlySignal, signal } from "@preact/signals";
import type { TableColumns } from "../api/views";
import { params, replaceParameters } from "./address";
import { parseList, printList } from "./parsing";

/** What the shown view says. */
export const viewTable = signal<TableColumns | undefined>(undefined);
/** The columns of a table that nobody has changed. */
export const defaultColumns = signal<string[]>([]);
/** A column as its edge is being dragged. */
export const resized = signal<{ field: string; width: number } | undefined>(undefined);

// Every table has these; a list without them has them at its ends.
const FIRST = "state";
const LAST = "created_at";
/** The column of names, which is before all others. */
export const NAME = "name";
export const isFixed = (field: string): boolean => field === FIRST || field === LAST;

export const WIDTHS = { min: 48, max: 900, step: 16 };
const NOTHING = "none";

/** A list in the address; undefined without it. */
const listed = (name: string): string[] | undefined =>
  params.value.has(name)
    ? parseList(params.value.get(name)).filter((item) => item !== NOTHING)
    : undefined;

const print = (items: string[], fallback: string[]): string | undefined =>
  items.join("\n") === fallback.join("\n") ? undefined : printList(items) || NOTHING;

/** The order with the columns that every table has. */
const completed = (fields: string[]): string[] => {
  const unique = [...new Set(fields)].filter((field) => field !== NAME);
  return [
    ...(unique.includes(FIRST) ? [] : [FIRST]),
    ...unique,
    ...(unique.includes(LAST) ? [] : [LAST]),
  ];
};

/** The shortest list that means the same. */
function abbreviated(order: string[]): string[] {
  const start = order[0] === FIRST ? 1 : 0;
  const end = order.at(-1) === LAST ? -1 : undefined;
  return order.slice(start, end);
}

const fallbackColumns = computed(() => viewTable.value?.columns ?? defaultColumns.value);
const listedColumns = computed(() => listed("columns") ?? fallbackColumns.value);
const listedPins = computed(() => listed("pinned") ?? viewTable.value?.pinned ?? []);

/** The pinned columns, from the left. */
export const pinnedColumns: ReadonlySignal<string[]> = computed(() => {
  const order = completed(listedColumns.value);
  return [...new Set(listedPins.value)].filter((field) => order.includes(field));
});

const arranged = (fields: string[], pinned: string[]): string[] => [
  ...pinned,
  ...completed(fields).filter((field) => !pinned.includes(field)),
];

/** All columns but that of names, from the left; the pinned ones come first. */
export const shownColumns: ReadonlySignal<string[]> = computed(() =>
  arranged(listedColumns.value, pinnedColumns.value),
);

/** The columns with values that the server is asked for. */
export const columns: ReadonlySignal<string[]> = computed(() =>
  [...new Set(listedColumns.value)].filter((field) => !isFixed(field) && field !== NAME),
);

/** Widths as lines of PIXELS:FIELD. */
const parseWidths = (lines: string[]): Record<string, number> =>
  Object.fromEntries(
    lines.flatMap((line) => {
      const [, width, field] = /^(\d{2,3}):(.+)$/.exec(line) ?? [];
      return field ? [[field, clampWidth(Number(width))]] : [];
    }),
  );

const printWidths = (widths: Record<string, number>): string[] =>
  Object.entries(widths).map(([field, width]) => `${width}:${field}`);

export const clampWidth = (width: number): number =>
  Math.round(Math.min(WIDTHS.max, Math.max(WIDTHS.min, width)));

/** The widths that were set by hand, in pixels. */
export const columnWidths: ReadonlySignal<Record<string, number>> = computed(() => {
  const lines = listed("widths");
  const widths = lines ? parseWidths(lines) : (viewTable.value?.widths ?? {});
  const dragged = resized.value;
  return dragged ? { ...widths, [dragged.field]: clampWidth(dragged.width) } : widths;
});

/** Whether the table is as wide as the page has room for: nobody has changed its columns. */
export const isFitting = computed(
  () =>
    listedColumns.value === defaultColumns.value && Object.keys(columnWidths.value).length === 0,
);

/** Whether the address changes what the view says. */
export const hasOwnColumns = computed(() =>
  ["columns", "pinned", "widths"].some((name) => params.value.has(name)),
);

export const NO_CHANGES = { columns: undefined, pinned: undefined, widths: undefined };

/** The table as it is, for a view. */
export const currentColumns = (): TableColumns => ({
  columns: abbreviated(shownColumns.value),
  pinned: pinnedColumns.value,
  widths: columnWidths.value,
});

export function setOrder(order: string[], pins = pinnedColumns.value): void {
  const pinned = pins.filter((field) => order.includes(field));
  const fallback = completed(fallbackColumns.value);
  const isFallback =
    order.length === fallback.length && arranged(fallback, pinned).join("\n") === order.join("\n");
  replaceParameters({
    columns: isFallback ? undefined : printList(abbreviated(order)) || NOTHING,
    pinned: print(pinned, viewTable.value?.pinned ?? []),
  });
}

export function addColumn(field: string): void {
  const order = shownColumns.value;
  setOrder(order.at(-1) === LAST ? [...order.slice(0, -1), field, LAST] : [...order, field]);
}

export const removeColumn = (field: string): void =>
  setOrder(shownColumns.value.filter((shown) => shown !== field));

/** Show another figure in the place of a column, with its width. */
export function replaceColumn(field: string, replacement: string): void {
  const replaced = (fields: string[]) =>
    fields.map((shown) => (shown === field ? replacement : shown));
  const { [field]: width, ...others } = columnWidths.value;
  setOrder(replaced(shownColumns.value), replaced(pinnedColumns.value));
  if (width !== undefined) setWidths({ ...others, [replacement]: width });
}

/** Move a column so that `index` others are before it; among pinned ones it is pinned. */
export function placeColumn(field: string, index: number): void {
  const others = shownColumns.value.filter((shown) => shown !== field);
  const pins = pinnedColumns.value.filter((pinned) => pinned !== field);
  const isPinned = pinnedColumns.value.includes(field) ? index <= pins.length : index < pins.length;
  const order = [...others.slice(0, index), field, ...others.slice(index)];
  setOrder(order, order.slice(0, pins.length + (isPinned ? 1 : 0)));
}

/** Move a column one place to the right (1) or to the left (-1); false at the end. */
export function shiftColumn(field: string, step: 1 | -1): boolean {
  const order = shownColumns.value;
  const index = order.indexOf(field) + step;
  if (index < 0 || index >= order.length) return false;
  const pins = pinnedColumns.value;
  // Across the border a column first changes sides.
  if (pins.includes(field) && index >= pins.length) togglePin(field);
  else if (!pins.includes(field) && index < pins.length) togglePin(field);
  else placeColumn(field, index);
  return true;
}

export function togglePin(field: string): void {
  const pins = pinnedColumns.value;
  const others = pins.filter((pinned) => pinned !== field);
  const next = pins.includes(field) ? others : [...pins, field];
  const rest = shownColumns.value.filter((shown) => !next.includes(shown));
  const unpinned = pins.includes(field)
    ? [field, ...rest.filter((shown) => shown !== field)]
    : rest;
  setOrder([...next, ...unpinned], next);
}

/** Set the width of a column in pixels; undefined for the default. */
export function setWidth(field: string, width: number | undefined): void {
  const { [field]: _, ...others } = columnWidths.value;
  setWidths(width === undefined ? others : { ...others, [field]: clampWidth(width) });
}

const setWidths = (widths: Record<string, number>): void =>
  replaceParameters({
    widths: print(printWidths(widths), printWidths(viewTable.value?.widths ?? {})),
  });
