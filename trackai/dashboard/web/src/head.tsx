// The head of a column of the table of runs, by which it is sorted.

import { go, order, sort } from "./view";

export function Head({ name, field, wide, narrow, numeric }: {
  name: string;
  field: string;
  wide?: boolean;
  narrow?: boolean;
  numeric?: boolean;
}) {
  const mine = sort.value === field;
  const next = mine && order.value === "desc" ? "asc" : "desc";
  return (
    <span class={`cell${wide ? " wide" : ""}${narrow ? " state" : ""}${numeric ? " number" : ""}`} role="columnheader"
      aria-sort={mine ? (order.value === "desc" ? "descending" : "ascending") : "none"}>
      <button type="button" title={`Sort by ${field}`} onClick={() => go({ sort: field, order: next })}>
        {name}
        {mine && <span aria-hidden="true">{order.value === "desc" ? " ↓" : " ↑"}</span>}
      </button>
    </span>
  );
}

/** A field as it fits over a column: the end of a long name says more than its beginning. */
export function short(field: string): string {
  const name = field.replace(/^(config|metric)\./, "");
  if (name.length <= 14) return name;
  const tail = name.slice(name.lastIndexOf("/") + 1);
  const figure = /^metric\..*\.(min|max|mean|last)$/.exec(field)?.[1];
  return figure ? `${figure} ${tail.slice(0, -figure.length - 1)}` : tail;
}
