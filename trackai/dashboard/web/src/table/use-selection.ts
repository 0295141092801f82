// Choosing runs in the table: one, a range, a group, or all that match.

import { useRef } from "preact/hooks";
import type { GroupMembers, Run } from "../api/types";
import {
  type Choice,
  chooseIds,
  chooseMatching,
  fullFilter,
  withMatching,
  withoutMatching,
  withoutRuns,
  withRuns,
} from "../view/choice";
import { bothFilters, tableFilter } from "./runs-query";
import type { TableData } from "./use-table-data";

interface Options {
  table: TableData;
  choice: Choice;
  /** The row ids of the runs of the choice. */
  chosen: number[];
  onChoose: (choice: Choice) => void;
}

/** How much of several runs is chosen. */
export type Extent = "none" | "some" | "all";

export function useSelection({ table, onChoose, ...shown }: Options) {
  const lastRow = useRef<number>();
  // What is shown by default is not chosen.
  const { isDefault } = shown.choice;
  const choice = isDefault ? chooseIds([]) : shown.choice;
  const chosen = isDefault ? [] : shown.chosen;
  const ids = new Set(chosen);
  const except = new Set(choice.except);
  const filter = tableFilter(table.ignored);
  const groupFilter = (group: string) => fullFilter(bothFilters(filter, group));
  // Runs that came since the list of chosen runs was read are known to match.
  const isWhole = choice.filters.includes(fullFilter(filter));

  const isChosen = (run: Run, group: string): boolean => {
    if (except.has(run.id)) return false;
    return ids.has(run.id) || isWhole || choice.filters.includes(groupFilter(group));
  };

  /** Choose or leave out a run, or all from the last one to this. */
  const toggleRun = (row: number, run: Run, isRange: boolean) => {
    const start = isRange && lastRow.current !== undefined ? lastRow.current : row;
    const range = new Set([run.id]);
    for (let index = Math.min(start, row); index <= Math.max(start, row); index++) {
      const id = table.runAt(index)?.id;
      if (id !== undefined) range.add(id);
    }
    lastRow.current = row;
    const change = isChosen(run, table.groupAt(row)) ? withoutRuns : withRuns;
    onChoose(change(choice, [...range]));
  };

  const extentOfAll = (): Extent => {
    const shown = [...table.pages.values()].flat();
    const isComplete = shown.length > 0 && shown.every((run) => ids.has(run.id));
    const total = table.total ?? 0;
    const isEnough = chosen.length >= total;
    const coversAll = isWhole ? except.size === 0 || isEnough : isComplete && isEnough;
    if (coversAll && total > 0) return "all";
    return chosen.length > 0 ? "some" : "none";
  };
  const all = extentOfAll();

  /** The chosen runs of a group; `members` are those that the server has named. */
  const extentOfGroup = (runs: number, members: number): Extent => {
    if (isDefault || members === 0) return "none";
    return members >= runs ? "all" : "some";
  };

  return {
    isChosen,
    toggleRun,
    all,
    toggleAll: () => onChoose(all === "all" ? chooseIds([]) : chooseMatching(filter)),
    extentOfGroup,
    toggleGroup: (group: string, members: GroupMembers | undefined, extent: Extent) => {
      const matching = groupFilter(group);
      if (extent === "all") {
        onChoose(withoutMatching(choice, matching, members?.run_ids ?? []));
      } else {
        onChoose(withMatching(choice, matching));
      }
    },
  };
}
