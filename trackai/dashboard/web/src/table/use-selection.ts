// Selecting runs in the table: one, a range, a group, or all that match.

import { useRef } from "preact/hooks";
import { errorMessage } from "../api/client";
import { rememberNames } from "../api/run-names";
import { listRuns } from "../api/runs";
import type { Run } from "../api/types";
import { runsQuery } from "./runs-query";
import type { TableData } from "./use-table-data";

/** The most runs that are selected at once: the address lists each of them. */
export const MAX_SELECTED = 200;

interface Options {
  projectId: number;
  table: TableData;
  selected: number[];
  onSelect: (ids: number[]) => void;
}

export function useSelection({ projectId, table, selected, onSelect }: Options) {
  const lastRow = useRef<number>();
  // The runs of groups that were selected here, until the server has said which they are.
  const groupRuns = useRef(new Map<string, number[]>());
  const selectedIds = new Set(selected);

  /** Select or deselect a run, or all from the last one to this. */
  const toggleRun = (row: number, run: Run, isRange: boolean) => {
    const start = isRange && lastRow.current !== undefined ? lastRow.current : row;
    const ids = new Set([run.id]);
    for (let index = Math.min(start, row); index <= Math.max(start, row); index++) {
      const id = table.runAt(index)?.id;
      if (id !== undefined) ids.add(id);
    }
    lastRow.current = row;
    if (selectedIds.has(run.id)) onSelect(selected.filter((id) => !ids.has(id)));
    else onSelect([...new Set([...selected, ...ids])]);
  };

  const selectMatching = async (groupFilter: string, before: number[]) => {
    try {
      const query = runsQuery(projectId, groupFilter, 0, table.ignored);
      const { runs } = await listRuns({ ...query, columns: undefined, limit: MAX_SELECTED });
      rememberNames(runs);
      const ids = runs.map((run) => run.id);
      groupRuns.current.set(groupFilter, ids);
      onSelect([...new Set([...before, ...ids])]);
    } catch (problem) {
      table.setError(errorMessage(problem));
    }
  };

  const selectable = Math.min(table.total ?? 0, MAX_SELECTED);
  const isAllSelected =
    selectable > 0 &&
    selected.length >= selectable &&
    [...table.pages.values()]
      .flat()
      .slice(0, selectable)
      .every((run) => selectedIds.has(run.id));

  return {
    toggleRun,
    selectable,
    isAllSelected,
    toggleAll: () => (isAllSelected ? onSelect([]) : void selectMatching("", [])),
    /** The selected runs of a group; `members` are those that are known to be in it. */
    selectedIn: (groupFilter: string, members: number[]) => {
      const known = new Set([...members, ...(groupRuns.current.get(groupFilter) ?? [])]);
      return [...known].filter((id) => selectedIds.has(id));
    },
    selectGroup: (groupFilter: string) => void selectMatching(groupFilter, selected),
    deselect: (ids: number[]) => onSelect(selected.filter((id) => !ids.includes(id))),
  };
}
