// The header of a column, which sorts the table.

import { go } from "../view/address";
import { sortField, sortOrder } from "../view/parameters";

interface Props {
  name: string;
  field: string;
  kind: "wide" | "state" | "number" | "created";
  /** Text is first sorted from A to Z, numbers and times from the greatest. */
  isText?: boolean;
}

export function ColumnHeader({ name, field, kind, isText = false }: Props) {
  const isSorted = sortField.value === field;
  const isDescending = sortOrder.value === "desc";
  const [first, second] = isText ? ["asc", "desc"] : ["desc", "asc"];
  const nextOrder = isSorted && sortOrder.value === first ? second : first;
  return (
    <span
      class={`cell ${kind}`}
      role="columnheader"
      aria-sort={isSorted ? (isDescending ? "descending" : "ascending") : "none"}
    >
      <button
        type="button"
        title={`Sort by ${field}`}
        onClick={() => go({ sort: field, order: nextOrder })}
      >
        {name}
        {isSorted && <span aria-hidden="true">{isDescending ? " ↓" : " ↑"}</span>}
      </button>
    </span>
  );
}
