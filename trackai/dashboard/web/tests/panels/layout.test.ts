import { describe, expect, test } from "vitest";
import type { Layout, Panel } from "../../src/api/views";
import {
  addPanel,
  addSection,
  allPanels,
  changePanel,
  changeSection,
  layoutOfMetrics,
  movePanel,
  newId,
  newPanel,
  removePanel,
  removeSection,
  replacePanel,
  shiftPanel,
  shiftSection,
  titleOf,
  withPinnedFirst,
} from "../../src/panels/layout";
import { resized } from "../../src/panels/pointer";
import { parseViewFile } from "../../src/panels/view-dialogs";
import { seeded } from "../random";

const text = (id: string, pinned = false): Panel => ({
  ...newPanel("text", id, ""),
  pinned,
});

/** A layout of texts: each word is a section, each letter a panel; capitals are pinned. */
const layout = (words: string): Layout => ({
  sections: words.split(" ").map((word) => ({
    name: word,
    is_open: true,
    panels: [...word.replace("-", "")].map((id) => text(id, id === id.toUpperCase())),
  })),
});

const words = ({ sections }: Layout): string =>
  sections
    .map(({ panels }) => panels.map(({ id, pinned }) => (pinned ? id.toUpperCase() : id)).join(""))
    .map((word) => word || "-")
    .join(" ");

describe("movePanel", () => {
  test.each([
    ["abc d", "c", { beside: "a", side: "before" }, "cab d"],
    ["abc d", "a", { beside: "c", side: "after" }, "bca d"],
    ["abc d", "a", { beside: "d", side: "before" }, "bc ad"],
    ["abc -", "b", { section: 1, end: "last" }, "ac b"],
    ["ab cd", "a", { section: 1, end: "first" }, "b acd"],
    ["ab", "a", { beside: "a", side: "after" }, "ab"],
    ["ab", "x", { beside: "a", side: "after" }, "ab"],
    ["aB c", "c", { beside: "B", side: "after" }, "aBC -"],
  ] as const)("%s: %s to %o", (before, id, place, after) => {
    expect(words(movePanel(layout(before), id, place))).toBe(after);
  });

  test("a pinned panel that is dropped into a section is pinned no more", () => {
    const moved = movePanel(layout("aB c"), "B", { section: 1, end: "last" });
    expect(allPanels(moved).some(({ pinned }) => pinned)).toBe(false);
  });
});

test.each([
  ["abc d", "a", 1, "bac d"],
  ["abc d", "c", 1, "ab cd"],
  ["abc d", "d", -1, "abcd -"],
  ["abc d", "a", -1, "abc d"],
  ["abc d", "d", 1, "abc d"],
  ["ab - c", "b", 1, "a b c"],
  ["aXb", "a", 1, "Xba"],
  ["aX bY", "X", 1, "a bYX"],
  ["aX bY", "X", -1, "aX bY"],
] as const)("shiftPanel(%s, %s, %i) is %s", (before, id, step, after) => {
  expect(words(shiftPanel(layout(before), id, step))).toBe(after);
});

test("moves lose and repeat no panel", () => {
  const random = seeded(11);
  const pick = <T>(items: readonly T[]) => items[Math.floor(random() * items.length)] as T;
  let current = layout("abC -d efg");
  const ids = allPanels(current).map(({ id }) => id);
  for (let turn = 0; turn < 500; turn++) {
    const step = pick([-1, 1] as const);
    const side = pick(["before", "after"] as const);
    current = pick([
      () => shiftPanel(current, pick(ids), step),
      () => movePanel(current, pick(ids), { beside: pick(ids), side }),
      () => movePanel(current, pick(ids), { section: pick([0, 1, 2]), end: "last" }),
      () => shiftSection(current, pick([0, 1, 2]), step),
    ])();
    const now = allPanels(current).map(({ id }) => id);
    expect(now.toSorted()).toEqual(ids.toSorted());
  }
});

test("pinned panels are shown before the sections", () => {
  const { pinned, sections } = withPinnedFirst(layout("aB Cd"));
  expect(pinned.map(({ id }) => id)).toEqual(["B", "C"]);
  expect(words({ sections })).toBe("a d");
});

test("panels are added, changed, replaced and removed", () => {
  const before = layout("ab c");
  expect(words(addPanel(before, 1, text("d")))).toBe("ab cd");
  expect(words(changePanel(before, "b", { pinned: true }))).toBe("aB c");
  expect(allPanels(replacePanel(before, newPanel("lines", "b", "")))[1]).toMatchObject({
    id: "b",
    kind: "lines",
  });
  expect(words(removePanel(before, "a"))).toBe("b c");
  expect(words(before)).toBe("ab c");
});

test("sections are added, renamed, ordered and removed", () => {
  const before = layout("ab c -");
  expect(words(shiftSection(before, 0, 1))).toBe("c ab -");
  expect(words(shiftSection(before, 0, -1))).toBe("ab c -");
  expect(words(shiftSection(before, 2, 1))).toBe("ab c -");
  expect(words(removeSection(before, 2))).toBe("ab c");
  expect(changeSection(before, 1, { name: "x", is_open: false }).sections[1]).toMatchObject({
    name: "x",
    is_open: false,
  });
  const twice = addSection(addSection({ sections: [] }));
  expect(twice.sections.map(({ name }) => name)).toEqual(["Section 1", "Section 2"]);
  expect(addSection(removeSection(twice, 0)).sections.map(({ name }) => name)).toEqual([
    "Section 2",
    "Section 3",
  ]);
});

test("a new id is one that no panel has", () => {
  expect(newId({ sections: [] })).toBe("p1");
  const taken = { sections: [{ name: "s", is_open: true, panels: [text("p2"), text("p3")] }] };
  expect(newId(taken)).toBe("p4");
});

test.each([
  [newPanel("text", "a", ""), "Text"],
  [{ ...newPanel("text", "a", ""), title: "Mine" }, "Mine"],
  [newPanel("bars", "a", 'metric."val/loss".min'), "val/loss.min"],
  [newPanel("scatter", "a", "config.lr"), "lr over lr"],
  [{ ...newPanel("lines", "a", ""), metrics: ["a", "b"] } as Panel, "a, b"],
  [{ ...newPanel("lines", "a", ""), metrics: ["a"], x_metric: "epoch" } as Panel, "a over epoch"],
])("titleOf %# is %s", (panel, title) => {
  expect(titleOf(panel)).toBe(title);
});

test("a new view has the metrics in their sections", () => {
  const { sections } = layoutOfMetrics(["val/loss", "loss", "val/acc"]);
  expect(sections.map(({ name, panels }) => [name, panels.map(titleOf)])).toEqual([
    ["val", ["val/loss", "val/acc"]],
    ["metrics", ["loss"]],
  ]);
  expect(new Set(allPanels({ sections }).map(({ id }) => id)).size).toBe(3);
  expect(layoutOfMetrics([]).sections).toHaveLength(1);
  const many = Array.from({ length: 5000 }, (_, number) => `a/${number}`);
  expect(allPanels(layoutOfMetrics(many)).length).toBeLessThan(100);
});

test.each([
  [
    { width: 4, height: 200 },
    { x: 100, y: 30 },
    { width: 5, height: 230 },
  ],
  [
    { width: 4, height: 200 },
    { x: -1000, y: -1000 },
    { width: 2, height: 100 },
  ],
  [
    { width: 4, height: 200 },
    { x: 5000, y: 5000 },
    { width: 12, height: 2000 },
  ],
  [
    { width: 4, height: 200 },
    { x: 40, y: 0.4 },
    { width: 4, height: 200 },
  ],
])("resized %o by %o is %o", (size, moved, after) => {
  expect(resized(size, moved, 1200)).toEqual(after);
});

describe("parseViewFile", () => {
  test("reads an exported view", () => {
    const content = '{"name": "Mine", "layout": {"sections": []}}';
    expect(parseViewFile("x.json", content)).toEqual({ name: "Mine", layout: { sections: [] } });
    expect(parseViewFile("x.json", '{"layout": {"sections": []}}').name).toBe("x");
  });

  test.each([
    ["{", "x.json: not JSON"],
    ["[]", "x.json: not a view; export one with Export as JSON"],
    ["null", "x.json: not a view; export one with Export as JSON"],
  ])("refuses %s", (content, problem) => {
    expect(() => parseViewFile("x.json", content)).toThrow(problem);
  });
});
