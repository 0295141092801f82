import { describe, expect, test } from "vitest";
import { groupIntoSections, searchMetrics, sectionOf } from "../../src/chart/metric-sections";

test.each([
  ["train/loss", "train"],
  ["a/b/c", "a"],
  ["loss", ""],
  ["gpu", "System"],
  ["gpu_0", "System"],
  ["memory.used", "System"],
  ["gpunet", ""],
])("sectionOf(%s) is %j", (path, section) => {
  expect(sectionOf(path)).toBe(section);
});

test("groupIntoSections puts the machine last and keeps the order otherwise", () => {
  const paths = ["gpu", "val/loss", "system/cpu", "loss", "val/acc", "train/loss"];
  expect(groupIntoSections(paths)).toEqual([
    ["val", ["val/loss", "val/acc"]],
    ["", ["loss"]],
    ["train", ["train/loss"]],
    ["System", ["gpu"]],
    ["system", ["system/cpu"]],
  ]);
});

describe("searchMetrics", () => {
  const paths = ["train/loss", "val/loss", "f(x)"];
  const any = /(?:)/;

  test("by a regular expression, ignoring case", () => {
    const { paths: matches, problem } = searchMetrics(paths, "^(TRAIN|val)", any);
    expect(matches).toEqual(["train/loss", "val/loss"]);
    expect(problem).toBe("");
  });

  test("by the text of an invalid expression", () => {
    const { paths: matches, problem } = searchMetrics(paths, "f(", any);
    expect(matches).toEqual(["f(x)"]);
    expect(problem).toContain("searching for the text");
  });

  test("by the last valid expression while one is typed", () => {
    const { pattern } = searchMetrics(paths, "^train", any);
    const { paths: matches, problem } = searchMetrics(paths, "^train[", pattern);
    expect(matches).toEqual(["train/loss"]);
    expect(problem).toContain("last matches");
  });
});
