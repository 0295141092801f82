// The rows of the table: only the pages of visible rows are fetched.

import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { rememberNames } from "../api/run-names";
import { renameRun as renameOnServer } from "../api/runs";
import type { Run, RunGroup } from "../api/types";
import { toJson } from "../ui/json";
import { useVirtualRows, type VirtualRows } from "../ui/virtual-rows";
import { aboutTyped } from "../view/filter-text";
import {
  columns,
  filterProblem,
  filterText,
  groupBy,
  openGroups,
  shelf,
  sortField,
  sortOrder,
} from "../view/parameters";
import { useScrollPosition } from "../view/scroll-positions";
import { isFitting } from "../view/table-columns";
import {
  countRows,
  layOutSections,
  locateRun,
  pageKey,
  type Section,
  sectionAt,
  visiblePages,
} from "./group-layout";
import { type Loaded, pollTable } from "./table-poll";

export const ROW_HEIGHT = 32;

const PARAMETER_NAMES: Record<string, string> = {
  filter: "filter",
  sort_by: "sort field",
  sort_order: "sort order",
  columns: "columns",
  by: "grouping",
};

/** Parameters of a view that the server could not read: they are ignored. */
interface Refusal {
  viewKey: string;
  ignored: string[];
  message: string;
}

interface Options {
  projectId: number;
  box: RefObject<HTMLElement>;
  areRowsKnown: boolean;
  /** A counter of changes; each is followed by a request at once. */
  changes: number;
  onNewestRuns: (runs: Run[]) => void;
}

export interface TableData {
  sections: Section[];
  rows: VirtualRows;
  rowCount: number;
  pages: Map<string, Run[]>;
  runAt: (row: number) => Run | undefined;
  /** The filter of the group that a row is in; "" without groups. */
  groupAt: (row: number) => string;
  total: number | undefined;
  groups: RunGroup[] | undefined;
  isGrouped: boolean;
  ignored: string[];
  error: string;
  setError: (message: string) => void;
  renameRun: (id: number, name: string) => Promise<void>;
}

export function useTableData(options: Options): TableData {
  const { projectId, box, areRowsKnown, changes, onNewestRuns } = options;
  const [pages, setPages] = useState(new Map<string, Run[]>());
  const [total, setTotal] = useState<number>();
  const [groups, setGroups] = useState<RunGroup[]>();
  const [error, setError] = useState("");
  const [refusal, setRefusal] = useState<Refusal>();
  const loadedKey = useRef("");
  const rowsKey = tableRowsKey(projectId);
  const viewKey = `${rowsKey}\u0000${columns.value.join("\n")}`;
  const latestKey = `${viewKey}\u0000${changes}`;
  const refused = refusal?.viewKey === viewKey ? refusal : undefined;
  const ignored = refused?.ignored ?? [];

  const problem = refused?.ignored.includes("filter")
    ? aboutTyped(refused.message, filterText.value, shelf.value)
    : "";
  useEffect(() => {
    filterProblem.value = problem;
  }, [problem]);

  const isGrouped = groupBy.value !== "" && !ignored.includes("by");
  const sections = layOutSections(isGrouped ? groups : undefined, isGrouped ? 0 : (total ?? 0), {
    groupBy: groupBy.value,
    openGroups: openGroups.value,
    sortField: sortField.value,
    sortOrder: sortOrder.value,
  });
  const rowCount = countRows(sections);
  const rows = useVirtualRows(box, rowCount, ROW_HEIGHT);
  useScrollPosition(box, "table", rowCount > 0, rowsKey);
  const visible = visiblePages(sections, rows.first, rows.end);

  useLayoutEffect(() => {
    // On the way back to rows that were loaded before, they are not there either.
    if (loadedKey.current) loadedKey.current = "others";
    setPages(new Map());
    setTotal(undefined);
    setGroups(undefined);
  }, [rowsKey]);

  const describeLoaded = (): Loaded => {
    if (loadedKey.current === "") return "nothing";
    if (!visible.every((page) => pages.has(pageKey(page)))) return "others";
    if (loadedKey.current === latestKey) return "these";
    const isNew = loadedKey.current === `${rowsKey}\u0000\u0000${changes}`;
    return isNew && isFitting.value ? "withoutFigures" : "others";
  };

  useLayoutEffect(() => {
    if (!areRowsKnown) return;
    return pollTable({
      projectId,
      isGrouped,
      visible,
      ignored,
      loaded: describeLoaded(),
      onGroups: (fetched) => setGroups((before) => keepIfEqual(before, fetched)),
      onPage: (page, runs) => setPages((before) => withPage(before, pageKey(page), runs)),
      onNewestRuns,
      onTotal: setTotal,
      onLoaded: () => {
        loadedKey.current = latestKey;
      },
      onError: setError,
      // The next render reads the rest without the parameter.
      onUnreadable: (parameter, message) =>
        setRefusal({
          viewKey,
          ignored: [...ignored, parameter],
          message: `${message} – ${PARAMETER_NAMES[parameter]} ignored`,
        }),
    });
  }, [viewKey, visible.map(pageKey).join("\u0001"), changes, ignored.join(), areRowsKnown]);

  const runAt = (row: number): Run | undefined => {
    const place = locateRun(sections, row);
    return place && pages.get(pageKey(place))?.[place.index];
  };
  const renameRun = async (id: number, name: string) => {
    const renamed = await renameOnServer(id, name);
    rememberNames([renamed]);
    const replace = (run: Run) => (run.id === id ? { ...run, name: renamed.name } : run);
    setPages((before) => new Map([...before].map(([key, runs]) => [key, runs.map(replace)])));
  };
  return {
    sections,
    rows,
    rowCount,
    pages,
    runAt,
    groupAt: (row) => sectionAt(sections, row)?.filter ?? "",
    total,
    groups,
    isGrouped,
    ignored,
    error: error || aboutTyped(refused?.message ?? "", filterText.value, shelf.value),
    setError,
    renameRun,
  };
}

/** Changes with everything that the rows depend on but for their columns. */
const tableRowsKey = (projectId: number): string =>
  [projectId, filterText.value, shelf.value, sortField.value, sortOrder.value, groupBy.value].join(
    "\u0000",
  );

/** The old value if the new one is equal, so that nothing is rendered again. */
const keepIfEqual = <T>(before: T | undefined, now: T): T =>
  before !== undefined && toJson(before) === toJson(now) ? before : now;

function withPage(before: Map<string, Run[]>, key: string, runs: Run[]): Map<string, Run[]> {
  const old = before.get(key);
  return keepIfEqual(old, runs) === old ? before : new Map(before).set(key, runs);
}
