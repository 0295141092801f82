// The table of a project's runs. It is virtualised: only visible rows are rendered.

import { useRef } from "preact/hooks";
import type { Run, RunGroup } from "../api/types";
import { useGroupMembers } from "../chart/use-group-members";
import { slotStyle } from "../ui/colors";
import { plural } from "../ui/format";
import { ErrorMessage } from "../ui/messages";
import { valueKey } from "../ui/values";
import { columns, groupBy, meanBy } from "../view/parameters";
import { EmptyTable } from "./empty-table";
import { sectionAt } from "./group-layout";
import { GroupRow } from "./group-row";
import { PlaceholderRow, RunRow } from "./run-row";
import { TableHead } from "./table-head";
import { useSelection } from "./use-selection";
import { type TableData, useTableData } from "./use-table-data";

interface Props {
  projectId: number;
  selected: number[];
  onNewestRuns: (runs: Run[]) => void;
  onSelect: (ids: number[]) => void;
  /** A counter of changes; each is followed by a request at once. */
  changes: number;
}

export function RunsTable({ projectId, selected, onNewestRuns, onSelect, changes }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const table = useTableData({ projectId, box, changes, onNewestRuns });
  const selection = useSelection({ projectId, table, selected, onSelect });
  const rows = useRows(table, selection, selected);
  const { total, groups, error } = table;
  const isEmpty = table.isGrouped ? groups?.length === 0 : total === 0;
  return (
    <div class="table">
      <ErrorMessage message={error} id="filter-problem" />
      <div
        class={columns.value.length > 0 ? "rows far" : "rows"}
        ref={box}
        tabIndex={0}
        role="table"
        aria-label="Runs"
        aria-rowcount={table.rowCount + 1}
      >
        <TableHead selection={selection} selected={selected.length} table={table} />
        <div class="all" style={{ height: `${table.rows.height}px` }} role="rowgroup">
          <div
            class="slice"
            style={{ transform: `translateY(${table.rows.top}px)` }}
            role="presentation"
          >
            {rows}
          </div>
        </div>
        {isEmpty && !error && <EmptyTable />}
      </div>
      <p class="count" role="status">
        {total !== undefined && describeRows(total, groups, selected.length)}
        {total === undefined && !error && "Loading…"}
      </p>
    </div>
  );
}

function describeRows(total: number, groups: RunGroup[] | undefined, selected: number): string {
  const inGroups = groups && groupBy.value ? ` in ${plural(groups.length, "group")}` : "";
  return `${plural(total, "run")}${inGroups}, ${selected} in the charts`;
}

/** The visible rows. */
function useRows(table: TableData, selection: ReturnType<typeof useSelection>, selected: number[]) {
  const showsMeans = selected.length > 1 && meanBy.value !== "";
  const showsGroupMeans = showsMeans && meanBy.value === groupBy.value;
  const lines = useGroupMembers(selected, table.isGrouped ? groupBy.value : "");
  const selectedIds = new Set(selected);

  const groupRow = (row: number, group: RunGroup, isOpen: boolean) => {
    const slot = lines.findIndex((line) => valueKey(line.value) === valueKey(group.value));
    const selectedRuns = selection.selectedIn(group.filter, lines[slot]?.run_ids ?? []);
    return (
      <GroupRow
        key={`group ${group.filter}`}
        row={row}
        group={group}
        isOpen={isOpen}
        selectedRuns={selectedRuns.length}
        line={showsGroupMeans && slot >= 0 ? slotStyle(slot) : undefined}
        onSelect={() => selection.selectGroup(group.filter)}
        onDeselect={() => selection.deselect(selectedRuns)}
      />
    );
  };
  // While pages are fetched again, a run may be on two of them.
  const keyed = new Set<number>();
  const runRow = (row: number) => {
    const run = table.runAt(row);
    if (!run) return <PlaceholderRow key={`row ${row}`} row={row} />;
    // Keyed by the run: what is typed in a row must stay with its run when others arrive.
    const key = keyed.has(run.id) ? `row ${row}` : `run ${run.id}`;
    keyed.add(run.id);
    return (
      <RunRow
        key={key}
        row={row}
        run={run}
        isSelected={selectedIds.has(run.id)}
        showsMeans={showsMeans}
        onToggle={selection.toggleRun}
        onRename={table.renameRun}
      />
    );
  };
  const rendered = [];
  for (let row = table.rows.first; row < table.rows.end; row++) {
    const section = sectionAt(table.sections, row);
    const group = section?.firstRow === row ? section.group : undefined;
    rendered.push(group ? groupRow(row, group, section?.isOpen === true) : runRow(row));
  }
  return rendered;
}
