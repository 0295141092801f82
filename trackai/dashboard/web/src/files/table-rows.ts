// The rows of a logged table: searched and sorted.

import { compareNatural, isNumber } from "../ui/values";
import { cellText } from "./table-file";

export interface Sort {
  column: number;
  descending: boolean;
}

/** The order after a click on the head of a column: up, down, as logged. */
export function nextSort(sort: Sort | undefined, column: number): Sort | undefined {
  if (sort?.column !== column) return { column, descending: false };
  return sort.descending ? undefined : { column, descending: true };
}

/** Rows that contain a text in one of their cells, ignoring case; `texts` are those of the rows. */
export function searchRows(rows: unknown[][], texts: string[], search: string): unknown[][] {
  const sought = search.toLowerCase();
  return rows.filter((_, index) => texts[index]?.includes(sought));
}

/** The text of a row in which is searched. */
export const rowText = (cells: unknown[]): string => cells.map(cellText).join("\n").toLowerCase();

/** Numbers come before texts, and cells without a value last in either direction. */
export function sortRows(rows: unknown[][], { column, descending }: Sort): unknown[][] {
  const keyed = rows.map((cells) => ({ cells, key: sortKey(cells[column]) }));
  const sign = descending ? -1 : 1;
  keyed.sort(({ key: left }, { key: right }) => {
    if (left === undefined || right === undefined) {
      return Number(left === undefined) - Number(right === undefined);
    }
    return sign * compareKeys(left, right);
  });
  return keyed.map(({ cells }) => cells);
}

type Key = number | bigint | string;

function sortKey(cell: unknown): Key | undefined {
  if (cell === null || cell === undefined) return undefined;
  return isNumber(cell) ? cell : cellText(cell);
}

function compareKeys(left: Key, right: Key): number {
  if (typeof left === "string" && typeof right === "string") return compareNatural(left, right);
  if (typeof left === "string") return 1;
  if (typeof right === "string") return -1;
  return left < right ? -1 : Number(left > right);
}

export interface FileReference {
  /** The path of the file in its run, and its name. */
  file: string;
  name: string;
}

/** The files of the run that a cell of a table stands for: one, or a list of them. */
export function fileReferences(cell: unknown, tablePath: string): FileReference[] {
  const cells = Array.isArray(cell) ? cell : [cell];
  const references = cells.flatMap((item) => toReference(item, tablePath) ?? []);
  return references.length === cells.length ? references : [];
}

function toReference(cell: unknown, tablePath: string): FileReference | undefined {
  const { file, name, _type, file_path } = (cell ?? {}) as Record<string, unknown>;
  if (typeof file === "string" && typeof name === "string") return { file, name };
  // A cell of a table that was imported from trackio: its file is stored beside the table.
  return typeof _type === "string" && typeof file_path === "string"
    ? { file: tablePath, name: file_path.slice(file_path.lastIndexOf("/") + 1) }
    : undefined;
}
