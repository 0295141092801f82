// Logged tables.

import { parseJson, toJson } from "../ui/json";

export interface TableData {
  columns: unknown[];
  data: unknown[][];
  /** How it is drawn, for a chart. */
  chart?: unknown;
}

/** The table in a file; undefined if the preview is cut off, and so is not valid JSON. */
export function parseTable(text: string): TableData | undefined {
  try {
    const table = parseJson(text) as TableData;
    return Array.isArray(table.columns) && table.data.every(Array.isArray) ? table : undefined;
  } catch {
    return undefined;
  }
}

export const cellText = (cell: unknown): string => (typeof cell === "string" ? cell : toJson(cell));
