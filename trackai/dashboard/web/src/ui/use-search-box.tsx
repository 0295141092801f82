// A search box above a long table.

import type { ComponentChild } from "preact";
import { useState } from "preact/hooks";
import { SearchInput } from "./controls";

// Shorter tables need no search.
const MIN_ROWS = 9;

/** The text, and the box, which is hidden for a short table. */
export function useSearchBox(rows: number, content: string): [string, ComponentChild] {
  const [search, setSearch] = useState("");
  const box = rows >= MIN_ROWS && (
    <SearchInput
      label={`Search ${content}`}
      placeholder="Search"
      value={search}
      onSearch={setSearch}
    />
  );
  return [search, box];
}
