// The head of a column of the table of runs, by which it is sorted.

import { go, order, sort } from "./view";

interface Props {
  name: string;
  field: string;
  kind: "wide" | "state" | "number" | "created";
  /** Words are read from A to Z; of numbers and times, the greatest come first. */
  words?: boolean;
}

export function Head({ name, field, kind, words = false }: Props) {
  const mine = sort.value === field;
  const first = words ? "asc" : "desc";
  const next = mine && order.value === first ? (words ? "desc" : "asc") : first;
  return (
    <span
      class={`cell ${kind}`}
      role="columnheader"
      aria-sort={mine ? (order.value === "desc" ? "descending" : "ascending") : "none"}
    >
      <button
        type="button"
        title={`${field}: sort by it`}
        onClick={() => go({ sort: field, order: next })}
      >
        {name}
        {mine && <span aria-hidden="true">{order.value === "desc" ? " ↓" : " ↑"}</span>}
      </button>
    </span>
  );
}

/** Fields as they fit over columns, and no two alike: the end of a long name says more than its beginning. */
export function short(fields: string[]): string[] {
  let names = fields.map((field) => ending(field, 1));
  const longest = Math.max(...fields.map((field) => field.split("/").length));
  for (let parts = 2; parts <= longest + 1; parts++) {
    const before = names;
    const alike = (name: string) => before.indexOf(name) !== before.lastIndexOf(name);
    names = before.map((name, at) => (alike(name) ? ending(fields[at] as string, parts) : name));
  }
  return names;
}

/** The last parts of a long name, a figure before them. */
function ending(field: string, parts: number): string {
  const name = field.replace(/^(config|metric)\./, "");
  // Only a key that is called like a metric needs the whole.
  if (parts > field.split("/").length) return field;
  if (name.length <= 11) return name;
  const figure = /^metric\..*\.(min|max|mean|last)$/.exec(field)?.[1];
  const path = figure ? name.slice(0, -figure.length - 1) : name;
  const tail = path.split("/").slice(-parts).join("/");
  return figure ? `${figure} ${tail}` : tail;
}
