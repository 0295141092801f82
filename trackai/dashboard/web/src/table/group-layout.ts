// Where the rows of the table are: one list of runs, or groups with their runs below.

import type { GroupValue, RunGroup, Value } from "../api/types";
import { compareNatural, isNumber } from "../ui/values";
import { PAGE_SIZE } from "./runs-query";

/** Consecutive rows: all runs, or the row of a group and, if it is open, its runs. */
export interface Section {
  /** The filter of the group; "" for all runs. */
  filter: string;
  group?: RunGroup;
  runs: number;
  firstRow: number;
  isOpen: boolean;
}

export const ALL_RUNS: Section = { filter: "", runs: 0, firstRow: 0, isOpen: true };

export interface GroupView {
  groupBy: string;
  openGroups: string[];
  sortField: string;
  sortOrder: string;
}

/** The sections of these groups, or of `total` runs without groups. */
export function layOutSections(
  groups: RunGroup[] | undefined,
  total: number,
  view: GroupView,
): Section[] {
  if (groups === undefined) return [{ ...ALL_RUNS, runs: total }];
  const open = new Set(view.openGroups);
  let firstRow = 0;
  return sortGroups(groups, view).map((group) => {
    const { filter, runs } = group;
    const section = { filter, group, runs, firstRow, isOpen: open.has(filter) };
    firstRow += 1 + (section.isOpen ? runs : 0);
    return section;
  });
}

/** Sort by the value of the groups or by a mean; by any other field they stay as they are. */
function sortGroups(groups: RunGroup[], { groupBy, sortField, sortOrder }: GroupView): RunGroup[] {
  // The first column shows names of runs and values of groups.
  const byValue = sortField === groupBy || sortField === "name";
  const sortValue = (group: RunGroup) => (byValue ? group.value : (group.means[sortField] ?? null));
  const sign = sortOrder === "desc" ? -1 : 1;
  return [...groups].sort((left, right) => compareLists(sortValue(left), sortValue(right), sign));
}

/** Compare values, or those of several fields one after the other. */
function compareLists(left: GroupValue, right: GroupValue, sign: number): number {
  if (!Array.isArray(left) || !Array.isArray(right)) {
    return compareValues(left as Value, right as Value, sign);
  }
  const orders = left.map((value, index) => compareValues(value, right[index] ?? null, sign));
  return orders.find((order) => order !== 0) ?? 0;
}

const typeRank = (value: Value): number =>
  isNumber(value) ? 0 : ["string", "boolean"].indexOf(typeof value) + 1;

/** The server's order: numbers before strings, and missing values last in both directions. */
function compareValues(left: Value, right: Value, sign: number): number {
  if (left === null || right === null) return Number(left === null) - Number(right === null);
  if (isNumber(left) && isNumber(right))
    return sign * (Number(left > right) - Number(left < right));
  if (typeof left === typeof right) return sign * compareNatural(String(left), String(right));
  return sign * (typeRank(left) - typeRank(right));
}

export function countRows(sections: Section[]): number {
  const last = sections.at(-1);
  return last ? last.firstRow + (last.group ? 1 : 0) + (last.isOpen ? last.runs : 0) : 0;
}

/** The section that contains a row. */
export function sectionAt(sections: Section[], row: number): Section | undefined {
  let [low, high] = [0, sections.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((sections[middle] as Section).firstRow <= row) low = middle;
    else high = middle - 1;
  }
  return sections[low];
}

/** The page of a section. */
export interface PageRef {
  section: Section;
  page: number;
}

export const pageKey = ({ section, page }: PageRef): string => `${section.filter}\u0000${page}`;

/** The page of a run's row and its index there; undefined for the row of a group. */
export function locateRun(
  sections: Section[],
  row: number,
): (PageRef & { index: number }) | undefined {
  const section = sectionAt(sections, row);
  if (!section) return undefined;
  const run = row - section.firstRow - (section.group ? 1 : 0);
  return run < 0
    ? undefined
    : { section, page: Math.floor(run / PAGE_SIZE), index: run % PAGE_SIZE };
}

/** The pages of the rows from `first` up to, not including, `end`. */
export function visiblePages(sections: Section[], first: number, end: number): PageRef[] {
  const pages = new Map<string, PageRef>();
  for (let row = first; row < end; row++) {
    const place = locateRun(sections, row);
    if (!place?.section.isOpen) continue;
    const page = { section: place.section, page: place.page };
    pages.set(pageKey(page), page);
  }
  return [...pages.values()];
}
