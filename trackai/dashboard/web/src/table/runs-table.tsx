// The table of a project's runs. It is virtualised: only visible rows are rendered.

import { useRef, useState } from "preact/hooks";
import type { ProjectSummary, Run, RunGroup } from "../api/types";
import { chartedGroups, useGroupMembers } from "../chart/use-group-members";
import { slotStyle } from "../ui/colors";
import { grouped, plural } from "../ui/format";
import { ErrorMessage } from "../ui/messages";
import { useStableCallback } from "../ui/stable-callback";
import { valueKey } from "../ui/values";
import { type Choice, choiceBody } from "../view/choice";
import { baselineId, columns, groupBy, meanBy } from "../view/parameters";
import { isFitting } from "../view/table-columns";
import { useBaseline } from "./baseline";
import { BaselineNote } from "./baseline-note";
import { nameStyle } from "./column-styles";
import { EmptyTable } from "./empty-table";
import { sectionAt } from "./group-layout";
import { GroupRow } from "./group-row";
import { PlaceholderRow, RunRow } from "./run-row";
import { TableHead } from "./table-head";
import { useDefaultColumns } from "./use-default-columns";
import { useSelection } from "./use-selection";
import { type TableData, useTableData } from "./use-table-data";

// How exact times such as "5 s ago" are.
const CLOCK_MS = 5000;

interface Props {
  projectId: number;
  project: ProjectSummary | undefined;
  choice: Choice;
  /** The row ids of the shown runs, and those that have lines of their own in the charts. */
  chosen: number[];
  drawn: number[];
  onNewestRuns: (runs: Run[]) => void;
  onChoose: (choice: Choice) => void;
  /** Whether the address and the shown view say which rows there are. */
  areRowsKnown: boolean;
  /** A counter of changes; each is followed by a request at once. */
  changes: number;
  /** The figures to show by default, as many of them as fit. */
  figures: string[];
}

export function RunsTable(props: Props) {
  const { projectId, project, areRowsKnown, onNewestRuns, changes, figures, ...chosenRuns } = props;
  const box = useRef<HTMLDivElement>(null);
  const [columnChange, setColumnChange] = useState("");
  useDefaultColumns(box, figures);
  const table = useTableData({ projectId, box, areRowsKnown, changes, onNewestRuns });
  const selection = useSelection({ table, ...chosenRuns });
  const baseline = useBaseline();
  const rows = useRows(projectId, table, selection, chosenRuns, baseline ?? undefined);
  const { total, groups, error } = table;
  const isEmpty = table.isGrouped ? groups?.length === 0 : total === 0;
  return (
    <div class="table">
      <ErrorMessage message={error} id="filter-problem" />
      <BaselineNote run={baseline} />
      <div
        class={rowsClass()}
        style={nameStyle()}
        ref={box}
        tabIndex={0}
        role="table"
        aria-label="Runs"
        aria-rowcount={table.rowCount + 1}
      >
        <TableHead selection={selection} table={table} onChange={setColumnChange} />
        <div class="all" style={{ height: `${table.rows.height}px` }} role="rowgroup">
          <div
            class="slice"
            style={{ transform: `translateY(${table.rows.top}px)` }}
            role="presentation"
          >
            {rows}
          </div>
        </div>
      </div>
      {isEmpty && !error && <EmptyTable project={project} />}
      <output class="unseen">{columnChange}</output>
      <p class="count" role="status">
        {total !== undefined && describeRows(total, groups, chosenRuns)}
        {total === undefined && !error && "Loading…"}
      </p>
    </div>
  );
}

const rowsClass = (): string => {
  // Sticky cells, of which each is a layer, are for tables that may scroll sideways.
  if (baselineId.value === undefined) return isFitting.value ? "rows" : "rows far";
  return columns.value.length > 0 ? "rows far compared" : "rows";
};

type ChosenRuns = Pick<Props, "choice" | "chosen" | "drawn">;

const showsMeansOf = ({ chosen }: ChosenRuns): boolean => chosen.length > 1 && meanBy.value !== "";

function describeRows(
  total: number,
  groups: RunGroup[] | undefined,
  chosenRuns: ChosenRuns,
): string {
  const inGroups = groups && groupBy.value ? ` in ${plural(groups.length, "group")}` : "";
  const { chosen, drawn } = chosenRuns;
  const charted =
    showsMeansOf(chosenRuns) || drawn.length === chosen.length
      ? grouped(chosen.length)
      : `${grouped(chosen.length)} selected, the first ${drawn.length}`;
  return `${plural(total, "run")}${inGroups}, ${charted} in the charts`;
}

/** The visible rows. */
function useRows(
  projectId: number,
  table: TableData,
  selection: ReturnType<typeof useSelection>,
  chosenRuns: ChosenRuns,
  baseline: Run | undefined,
) {
  const showsMeans = showsMeansOf(chosenRuns);
  const showsGroupMeans = showsMeans && meanBy.value === groupBy.value;
  const body = choiceBody(projectId, chosenRuns.choice);
  const members = useGroupMembers(body, table.isGrouped ? groupBy.value : "");
  const lines = chartedGroups(members);
  const withLines = new Set(showsMeans ? [] : chosenRuns.drawn);

  const groupRow = (row: number, group: RunGroup, isOpen: boolean) => {
    const key = valueKey(group.value);
    const slot = lines.findIndex((line) => valueKey(line.value) === key);
    const chosen = members.find((member) => valueKey(member.value) === key);
    const extent = selection.extentOfGroup(group.runs, chosen?.run_ids.length ?? 0);
    return (
      <GroupRow
        key={`group ${group.filter}`}
        row={row}
        group={group}
        isOpen={isOpen}
        chosen={extent}
        line={showsGroupMeans && slot >= 0 ? slotStyle(slot) : undefined}
        onToggle={() => selection.toggleGroup(group.filter, chosen, extent)}
      />
    );
  };
  // Only rows with something new are rendered again.
  const onToggle = useStableCallback(selection.toggleRun);
  const onRename = useStableCallback(table.renameRun);
  const clock = Math.floor(Date.now() / CLOCK_MS);
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
        isSelected={selection.isChosen(run, table.groupAt(row))}
        hasLine={withLines.has(run.id)}
        baseline={baseline}
        clock={clock}
        onToggle={onToggle}
        onRename={onRename}
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
