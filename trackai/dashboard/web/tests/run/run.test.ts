import { describe, expect, test } from "vitest";
import type { Figures } from "../../src/api/types";
import { cellText, parseTable } from "../../src/files/table-file";
import { groupBySteps } from "../../src/run/file-steps";
import { densities, toBins } from "../../src/run/histogram-data";
import { splitAtMatch, terminalText } from "../../src/run/log-text";
import { nestConfig } from "../../src/run/nest-config";
import { inheritedPaths, runPaths } from "../../src/run/run-paths";

describe("nestConfig", () => {
  const nested = (flat: Record<string, unknown>) =>
    JSON.parse(JSON.stringify(nestConfig(Object.entries(flat))));

  test("nests by slashes", () => {
    expect(nested({ lr: 1, "opt/name": "adam", "opt/beta/1": 0.9 })).toEqual({
      lr: 1,
      opt: { name: "adam", beta: { 1: 0.9 } },
    });
  });

  test("keeps a key flat whose prefix is a key", () => {
    expect(nested({ opt: "adam", "opt/lr": 1, "opt/a/b": 2 })).toEqual({
      opt: "adam",
      "opt/lr": 1,
      "opt/a/b": 2,
    });
  });

  test("has no special keys", () => {
    const tree = nestConfig([["__proto__/polluted", true]]);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(Object.keys(tree)).toEqual(["__proto__"]);
  });
});

describe("terminalText", () => {
  test.each([
    ["plain", "plain"],
    ["\u001b[31mred\u001b[0m", "red"],
    ["10 %\r50 %\r100 %\n", "100 %"],
    ["a\nb\n\n", "a ⏎ b"],
  ])("%j", (logged, shown) => {
    expect(terminalText(logged)).toBe(shown);
  });
});

test("splitAtMatch ignores case", () => {
  expect(splitAtMatch("a NEEDLE b", "needle")).toEqual(["a ", "NEEDLE", " b"]);
  expect(splitAtMatch("a", "needle")).toBeUndefined();
  expect(splitAtMatch("a", "")).toBeUndefined();
});

describe("toBins", () => {
  const bins = (value: unknown) => toBins({ step: 1, timestamp: "", value });

  test("takes histograms of finite numbers", () => {
    expect(bins({ edges: [0, 1, 3], values: [4, 5] })).toMatchObject({
      edges: [0, 1, 3],
      values: [4, 5],
    });
  });

  test("counts more than a number can hold", () => {
    expect(bins({ edges: [0, 1], values: [2n ** 60n] })).toMatchObject({ values: [2 ** 60] });
  });

  test.each([
    null,
    3,
    {},
    { edges: [0, 1], values: [] },
    { edges: [0, 1], values: [1, 2] },
    { edges: [0, "NaN"], values: [1] },
  ])("%j is none", (value) => {
    expect(bins(value)).toBeUndefined();
  });

  test("densities are per unit of width", () => {
    const histogram = bins({ edges: [0, 1, 3, 3], values: [4, 4, 2] });
    expect(histogram && densities(histogram)).toEqual([4, 2, 2]);
  });
});

test("groupBySteps keeps files without a step apart", () => {
  const steps = [1, 1, 2, null, null].map((step) => ({ step }));
  expect(groupBySteps(steps).map((files) => files.length)).toEqual([2, 1, 1, 1]);
});

test("parseTable takes whole tables only", () => {
  expect(parseTable('{"columns": ["a"], "data": [[1]]}')).toEqual({ columns: ["a"], data: [[1]] });
  expect(parseTable('{"columns": ["a"], "data": [[1')).toBeUndefined();
  expect(parseTable('{"columns": "a", "data": []}')).toBeUndefined();
  expect(parseTable('{"columns": ["a"], "data": [1]}')).toBeUndefined();
  const large = parseTable('{"columns": [9007199254740993], "data": [[[9007199254740993]]]}');
  expect(large?.columns.map(cellText)).toEqual(["9007199254740993"]);
  expect(large?.data[0]?.map(cellText)).toEqual(["[9007199254740993]"]);
  expect([cellText("x"), cellText(null), cellText(1.5)]).toEqual(["x", "null", "1.5"]);
});

describe("runPaths", () => {
  const figures = (path: string, kind: string, axis: "step" | "time" = "step") =>
    ({ path, kind, axis }) as Figures;
  const own = [
    figures("loss10", "number"),
    figures("loss2", "bool"),
    figures("gpu", "number", "time"),
    figures("out", "text"),
    figures("weights", "histogram"),
  ];

  test("sorts metrics by where they are shown", () => {
    expect(runPaths(own, [], undefined)).toEqual({
      charts: ["loss2", "loss10"],
      system: ["gpu"],
      texts: ["out"],
      histograms: ["weights"],
    });
  });

  test("sorts inherited metrics by the kinds that the project knows", () => {
    const names = ["loss2", "acc", "log", "unknown"];
    const inherited = inheritedPaths(own, names);
    expect(inherited).toEqual(["acc", "log", "unknown"]);
    const metric = (path: string, kind: string) => ({ path, kind, field: "", runs: 1 });
    const columns = {
      config: [],
      environment: [],
      metrics: [metric("acc", "number"), metric("log", "text")],
    };
    const paths = runPaths(own, inherited, columns);
    expect(paths.charts).toEqual(["acc", "loss2", "loss10"]);
    expect(paths.texts).toEqual(["out", "log"]);
  });

  test("inherits nothing while it is unknown", () => {
    expect(inheritedPaths(undefined, ["a"])).toEqual([]);
    expect(inheritedPaths(own, undefined)).toEqual([]);
  });
});
