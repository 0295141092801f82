// The header row of the table.

import { columns } from "../view/parameters";
import { ColumnHeader } from "./column-header";
import { columnTitles } from "./column-titles";
import { MAX_SELECTED, type useSelection } from "./use-selection";
import type { TableData } from "./use-table-data";

interface Props {
  table: TableData;
  selection: ReturnType<typeof useSelection>;
  selected: number;
}

export function TableHead({ table, selection, selected }: Props) {
  const titles = columnTitles(columns.value);
  const isText = (field: string) =>
    [...table.pages.values()].some(([run]) => typeof run?.values?.[field] === "string");
  const isLimited = table.total !== undefined && table.total > MAX_SELECTED;
  return (
    <div class="head" role="row" aria-rowindex={1}>
      <span class="pick" role="columnheader">
        <input
          type="checkbox"
          checked={selection.isAllSelected}
          indeterminate={selected > 0 && !selection.isAllSelected}
          disabled={selection.selectable === 0}
          aria-label="Select all runs"
          title={isLimited ? `Select the first ${MAX_SELECTED} runs` : "Select all runs"}
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
