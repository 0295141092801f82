// Long tables are cut off, and shown in full on request.

import type { ComponentChild } from "preact";
import { useState } from "preact/hooks";
import { grouped } from "./format";

const MAX_ROWS = 200;

/** The number of rows to render of each of some tables, and the button that shows all. */
export function useMaxRows(...rows: number[]): [number, ComponentChild] {
  const [showsAll, setShowsAll] = useState(false);
  const max = showsAll ? Infinity : MAX_ROWS;
  const total = rows.reduce((sum, count) => sum + count, 0);
  const button = rows.some((count) => count > max) && (
    <p>
      <button type="button" onClick={() => setShowsAll(true)}>
        Show all {grouped(total)} rows
      </button>
    </p>
  );
  return [max, button];
}
