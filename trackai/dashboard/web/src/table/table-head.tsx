// The header row of the table.

import { plural } from "../ui/format";
import { columns } from "../view/parameters";
import { ColumnHeader } from "./column-header";
import { columnTitles } from "./column-titles";
import type { useSelection } from "./use-selection";
import type { TableData } from "./use-table-data";

interface Props {
  table: TableData;
  selection: ReturnType<typeof useSelection>;
}

export function TableHead({ table, selection }: Props) {
  const titles = columnTitles(columns.value);
  const isText = (field: string) =>
    [...table.pages.values()].some(([run]) => typeof run?.values?.[field] === "string");
  // All runs are not what a filter that the server cannot read was to match.
  const isUnfiltered = table.ignored.includes("filter");
  return (
    <div class="head" role="row" aria-rowindex={1}>
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
      <ColumnHeader name="Run" field="name" kind="wide" isText />
      <ColumnHeader name="State" field="state" kind="state" isText />
      {columns.value.map((field, index) => (
        <ColumnHeader
          key={field}
          name={titles[index] as string}
          field={field}
          kind="number"
          isText={isText(field)}
        />
      ))}
      <ColumnHeader name="Created" field="created_at" kind="created" />
    </div>
  );
}
