import { describe, expect, test } from "vitest";
import type { RunGroup, Value } from "../../src/api/types";
import {
  countRows,
  type GroupView,
  layOutSections,
  locateRun,
  pageKey,
  sectionAt,
  visiblePages,
} from "../../src/table/group-layout";
import { toJson } from "../../src/ui/json";
import { seeded } from "../random";

const group = (value: Value, runs: number, means: RunGroup["means"] = {}): RunGroup => ({
  value,
  runs,
  filter: `f = ${toJson(value)}`,
  means,
});
const view = (more: Partial<GroupView> = {}): GroupView => ({
  groupBy: "f",
  openGroups: [],
  sortField: "f",
  sortOrder: "asc",
  ...more,
});
const values = (groups: RunGroup[], more: Partial<GroupView> = {}) =>
  layOutSections(groups, 0, view(more)).map((section) => section.group?.value);

describe("layOutSections", () => {
  test("without groups is one section", () => {
    const sections = layOutSections(undefined, 250, view());
    expect(sections).toEqual([{ filter: "", runs: 250, firstRow: 0, isOpen: true }]);
    expect(countRows(sections)).toBe(250);
  });

  test("open groups have rows for their runs", () => {
    const groups = [group("a", 3), group("b", 2), group("c", 5)];
    const sections = layOutSections(groups, 0, view({ openGroups: ['f = "a"', 'f = "c"'] }));
    expect(sections.map(({ firstRow }) => firstRow)).toEqual([0, 4, 5]);
    expect(countRows(sections)).toBe(11);
  });

  test("sorts as the server does: numbers, strings, booleans, missing values last", () => {
    const groups = [
      group(null, 1),
      group("b10", 1),
      group(true, 1),
      group("b2", 1),
      group(3, 1),
      group(-1, 1),
    ];
    expect(values(groups)).toEqual([-1, 3, "b2", "b10", true, null]);
    expect(values(groups, { sortOrder: "desc" })).toEqual([true, "b10", "b2", 3, -1, null]);
  });

  test("sorts by a mean, and not by other fields", () => {
    const groups = [group("a", 1, { m: 2 }), group("b", 1, { m: 1 }), group("c", 1, { m: null })];
    expect(values(groups, { sortField: "m" })).toEqual(["b", "a", "c"]);
    expect(values(groups, { sortField: "m", sortOrder: "desc" })).toEqual(["a", "b", "c"]);
    expect(values(groups, { sortField: "created_at", sortOrder: "desc" })).toEqual(["a", "b", "c"]);
  });
});

test("groups of large integers are in order", () => {
  const large = [2n ** 60n + 1n, 5, 2n ** 60n, "a", null].map((value) => group(value, 1));
  expect(values(large, { sortField: "name" })).toEqual([5, 2n ** 60n, 2n ** 60n + 1n, "a", null]);
});

test("each row is of exactly one group or run", () => {
  const random = seeded(6);
  for (let turn = 0; turn < 50; turn++) {
    const groups = Array.from({ length: 1 + Math.floor(random() * 6) }, (_, index) =>
      group(index, 1 + Math.floor(random() * 250)),
    );
    const open = groups.filter(() => random() < 0.5).map(({ filter }) => filter);
    const sections = layOutSections(groups, 0, view({ openGroups: open }));
    const seen = new Set<string>();
    for (let row = 0; row < countRows(sections); row++) {
      const section = sectionAt(sections, row);
      const place = locateRun(sections, row);
      const key = place ? `${pageKey(place)} ${place.index}` : `group ${section?.filter}`;
      expect(seen.has(key)).toBe(false);
      seen.add(key);
      if (place) expect(place.section.isOpen).toBe(true);
    }
    const runs = groups.filter(({ filter }) => open.includes(filter)).map((each) => each.runs);
    expect(seen.size).toBe(groups.length + runs.reduce((sum, count) => sum + count, 0));
  }
});

describe("visiblePages", () => {
  test("are those of the rows on screen", () => {
    const sections = layOutSections(undefined, 1000, view());
    expect(visiblePages(sections, 95, 205).map(({ page }) => page)).toEqual([0, 1, 2]);
    expect(visiblePages(sections, 100, 200).map(({ page }) => page)).toEqual([1]);
    expect(visiblePages(sections, 0, 0)).toEqual([]);
  });

  test("of closed groups are none", () => {
    const sections = layOutSections([group("a", 300), group("b", 1)], 0, view());
    expect(visiblePages(sections, 0, 2)).toEqual([]);
  });
});
