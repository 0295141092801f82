// Where the rows of the table of runs are: all below each other, or below the rows of their groups.

import type { RunGroup, Value } from "./api";
import { natural } from "./format";
import { groupBy, openGroups, order, sort } from "./view";

export const PAGE = 100;

/** Rows that belong together: all of them, or those of a group, which has a row of its own. */
export interface Section {
  filter: string;
  group?: RunGroup;
  runs: number;
  /** Where its first row is, and whether its runs are shown. */
  at: number;
  open: boolean;
}

export const EVERYTHING: Section = { filter: "", runs: 0, at: 0, open: true };

export const key = (section: Section, page: number): string => `${section.filter}\u0000${page}`;

export function layOut(groups: RunGroup[] | undefined, total: number): Section[] {
  if (groups === undefined) return [{ ...EVERYTHING, runs: total }];
  const open = new Set(openGroups.value);
  let at = 0;
  return sorted(groups).map((group) => {
    const section = {
      filter: group.filter,
      group,
      runs: group.runs,
      at,
      open: open.has(group.filter),
    };
    at += 1 + (section.open ? group.runs : 0);
    return section;
  });
}

/** By the field that they are groups of, or by a mean that is shown; by anything else they stay as they came. */
function sorted(groups: RunGroup[]): RunGroup[] {
  // The first column has the names of runs, and the values of groups.
  const own = sort.value === groupBy.value || sort.value === "name";
  const of = (group: RunGroup) => (own ? group.value : (group.means[sort.value] ?? null));
  const sign = order.value === "desc" ? -1 : 1;
  return [...groups].sort((one, other) => compare(of(one), of(other), sign));
}

/** As the server sorts runs: numbers before words, and what is not there last, in both directions. */
function compare(one: Value, other: Value, sign: number): number {
  if (one === null || other === null) return Number(one === null) - Number(other === null);
  if (typeof one === "number" && typeof other === "number") return sign * (one - other);
  if (typeof one === typeof other) return sign * natural(String(one), String(other));
  return sign * (KINDS.indexOf(typeof one) - KINDS.indexOf(typeof other));
}

const KINDS = ["number", "string", "boolean"];

export function sectionAt(sections: Section[], at: number): Section | undefined {
  let low = 0;
  let high = sections.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((sections[middle] as Section).at <= at) low = middle;
    else high = middle - 1;
  }
  return sections[low];
}

/** The pages that the rows from `first` to `end` are on. */
export function pagesOf(sections: Section[], first: number, end: number): [Section, number][] {
  const found = new Map<string, [Section, number]>();
  for (let at = first; at < end; at++) {
    const section = sectionAt(sections, at);
    const place = section ? at - section.at - (section.group ? 1 : 0) : -1;
    if (!section || place < 0 || !section.open) continue;
    const page = Math.floor(place / PAGE);
    found.set(key(section, page), [section, page]);
  }
  return [...found.values()];
}
