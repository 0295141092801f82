// The header row of the table.

import { useRef } from "preact/hooks";
import { plural } from "../ui/format";
import { columns } from "../view/parameters";
import { NAME, shownColumns } from "../view/table-columns";
import { type Drop, useColumnDrag } from "./column-drag";
import { ColumnHeader } from "./column-header";
import { columnTitles } from "./column-titles";
import type { useSelection } from "./use-selection";
import type { TableData } from "./use-table-data";

interface Props {
  table: TableData;
  selection: ReturnType<typeof useSelection>;
  /** Says how a column has been changed. */
  onChange: (change: string) => void;
}

const FIXED_TITLES: Record<string, string> = { state: "State", created_at: "Created" };

export function TableHead({ table, selection, onChange }: Props) {
  const head = useRef<HTMLDivElement>(null);
  const { drop, handlers } = useColumnDrag(head);
  const titles = new Map(
    columnTitles(columns.value).map((title, index) => [columns.value[index], title]),
  );
  const isText = (field: string) =>
    field === "state" ||
    [...table.pages.values()].some(([run]) => typeof run?.values?.[field] === "string");
  // All runs are not what a filter that the server cannot read was to match.
  const isUnfiltered = table.ignored.includes("filter");
  return (
    <div
      class={drop ? "head dragging" : "head"}
      role="row"
      aria-rowindex={1}
      ref={head}
      {...handlers}
    >
      <span class="pick" role="columnheader">
        <input
          type="checkbox"
          checked={selection.all === "all"}
          indeterminate={selection.all === "some"}
          disabled={!table.total || isUnfiltered}
          aria-label="Select all runs"
          title={table.total ? `Select all ${plural(table.total, "run")}` : "Select all runs"}
          onChange={selection.toggleAll}
        />
      </span>
      <ColumnHeader name="Run" field={NAME} isText onChange={onChange} />
      {shownColumns.value.map((field) => (
        <ColumnHeader
          key={field}
          name={FIXED_TITLES[field] ?? titles.get(field) ?? field}
          field={field}
          isText={isText(field)}
          drop={sideOf(drop, field)}
          onChange={onChange}
        />
      ))}
    </div>
  );
}

/** On which side of a column the dragged one would be put. */
function sideOf(drop: Drop | undefined, field: string): "before" | "after" | undefined {
  if (!drop || drop.field === field) return undefined;
  const others = shownColumns.value.filter((other) => other !== drop.field);
  const index = others.indexOf(field);
  if (index === drop.index) return "before";
  return drop.index === others.length && index === others.length - 1 ? "after" : undefined;
}
