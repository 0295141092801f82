// A search box above a long table.

import type { ComponentChild } from "preact";
import { useState } from "preact/hooks";

// Shorter tables need no search.
const MIN_ROWS = 9;

/** The text in lower case, and the box, which is hidden for a short table. */
export function useSearchBox(rows: number, content: string): [string, ComponentChild] {
  const [search, setSearch] = useState("");
  const box = rows >= MIN_ROWS && (
    <input
      type="search"
      aria-label={`Search ${content}`}
      placeholder="Search"
      value={search}
      onInput={(event) => setSearch(event.currentTarget.value)}
    />
  );
  return [search.toLowerCase(), box];
}
