import { describe, expect, test } from "vitest";
import type { GroupBucket, RunChart } from "../../src/api/types";
import { groupBand, groupLabel, rawValue, toLines } from "../../src/chart/lines";
import { bucket } from "./fixtures";

const names = new Map([[1, "first"]]);

function runLine(chart: Partial<RunChart>, smoothed = false) {
  const runs = new Map([[1, { data: [], raw: false, x: "step", ...chart } as RunChart]]);
  const [line] = toLines({ runs }, names, smoothed);
  if (!line) throw new Error("no line found");
  return line;
}

describe("a line of a run", () => {
  test("has the points as they were logged", () => {
    const data = [bucket(0, 1.5), bucket(3, 2), { ...bucket(4, 0), last: true }];
    const line = runLine({ data, raw: true });
    expect(line).toMatchObject({ key: "run 1", label: "first", x: [0, 3, 4], y: [1.5, 2, 1] });
    expect(line.low).toBeUndefined();
  });

  test("has means in the middle of their buckets, and a band", () => {
    const data = [bucket(0, 0, { step_last: 9, count: 10, mean: 4, min: 1, max: 7 })];
    expect(runLine({ data })).toMatchObject({ x: [4.5], y: [4], low: [1], high: [7], count: [10] });
  });

  test("has no band if all points are equal", () => {
    const data = [bucket(0, 0, { step_last: 9, mean: 4, min: 4, max: 4 })];
    expect(runLine({ data }).low).toBeUndefined();
  });

  test("is smoothed at the ends of buckets", () => {
    const data = [bucket(0, 0, { step_last: 9, mean: 4, min: 1, max: 7, smoothed: 3 })];
    expect(runLine({ data }, true)).toMatchObject({ x: [9], y: [3], unsmoothed: [4] });
  });

  test("has notes on NaN and infinite values", () => {
    const raw = { ...bucket(2, 0, { non_finite: 1 }), last: "-Infinity" };
    const line = runLine({ data: [bucket(1, 1), raw], raw: true });
    expect(line).toMatchObject({ y: [1, null], notes: [undefined, "-Infinity"], nonFinite: [2] });
    const mean = bucket(0, 0, { count: 10, non_finite: 3, mean: 1 });
    expect(runLine({ data: [mean] }).notes).toEqual(["3 of 10 values NaN or infinite"]);
  });

  test("keeps integers that a number cannot hold, and is drawn where they are about", () => {
    const [large, step] = [2n ** 60n + 1n, 2n ** 61n + 1n];
    const data = [{ ...bucket(0, 0), last: large, step, step_last: step }];
    const line = runLine({ data, raw: true });
    expect(line).toMatchObject({ large: [large], y: [2 ** 60], x: [2 ** 61] });
    expect(line.steps).toEqual([[step, step]]);
    expect(rawValue(line, 0)).toBe(large);
    const mean = { ...bucket(0, 0, { step_last: 9, mean: 4 }), min: large, max: 2n ** 62n };
    expect(runLine({ data: [mean] })).toMatchObject({ low: [2 ** 60], high: [2 ** 62] });
  });

  test("is over seconds on an axis of time", () => {
    const data = [bucket(0, 1, { x: "2024-01-01T00:00:00Z", x_last: "2024-01-01T00:00:10Z" })];
    const start = Date.parse("2024-01-01T00:00:00Z") / 1000;
    expect(runLine({ data, x: "time" })).toMatchObject({ x: [start + 5], from: [start] });
    expect(runLine({ data: [bucket(0, 1, { x: 3 })], x: "relative" }).x).toEqual([3]);
  });

  test("of an unknown run has its id", () => {
    const runs = new Map([[2, { data: [], raw: true, x: "step" } as RunChart]]);
    expect(toLines({ runs }, names, false)[0]?.label).toBe("run 2");
  });
});

describe("a line of a group", () => {
  const data: GroupBucket[] = [
    { step: 0, step_last: 2, runs: 2, non_finite: 0, mean: 5, std: 2, min: 1, max: 9 },
    { step: 3, step_last: 5, runs: 1, non_finite: 1, mean: 4, std: null, min: 4, max: 4 },
  ];
  const chart = { data, raw: false, x: "step" as const, runs: 2 };
  const group = { slot: 1, value: null, runs: 2, metrics: { loss: chart } };

  test("has a band of one standard deviation", () => {
    const [line] = toLines({ runs: new Map(), groups: [group] }, names, false);
    expect(line).toMatchObject({
      key: "group null",
      label: "(none)",
      x: [1, 4],
      y: [5, 4],
      low: [3, null],
      high: [7, null],
      count: [2, 1],
      runs: 2,
      notes: [undefined, "NaN or infinite in 1 run"],
      nonFinite: [3],
    });
  });

  test("has the band that is chosen", () => {
    const [first] = data as [GroupBucket];
    expect(groupBand(first, "error")).toEqual([5 - Math.SQRT2, 5, 5 + Math.SQRT2]);
    expect(groupBand(first, "range")).toEqual([1, 5, 9]);
    const quartiles = { median: 4, low_quartile: 3, high_quartile: null };
    expect(groupBand({ ...first, ...quartiles }, "quartiles")).toEqual([3, 4, null]);
    expect(groupBand({ ...first, std: null }, "error")).toEqual([null, 5, null]);
  });

  test("has the values of several fields as its label", () => {
    expect(groupLabel([0.1, null, "a"])).toBe("0.1 · (none) · a");
  });

  test("has no band without deviations", () => {
    const single = { ...chart, data: data.slice(1) };
    const groups = [{ ...group, value: "a", metrics: { loss: single } }];
    const [line] = toLines({ runs: new Map(), groups }, names, false);
    expect(line?.label).toBe("a");
    expect(line?.low).toBeUndefined();
  });
});

describe("lines of several metrics", () => {
  const part = (ids: number[]) => ({
    runs: new Map(
      ids.map((id): [number, RunChart] => [id, { data: [bucket(0, 1)], raw: true, x: "step" }]),
    ),
  });

  test("of one run have a colour each", () => {
    const lines = toLines(
      {
        runs: new Map(),
        parts: [
          ["a", part([1])],
          ["b", part([1])],
        ],
      },
      names,
      false,
    );
    expect(lines.map(({ label, key, metric }) => [label, key, metric])).toEqual([
      ["a", "run 1", "a"],
      ["b", "run 1", "b"],
    ]);
    expect(new Set(lines.map(({ color }) => color)).size).toBe(2);
  });

  test("of several runs have the colour of the run, and a dash each", () => {
    const lines = toLines(
      {
        runs: new Map(),
        parts: [
          ["a", part([1, 2])],
          ["b", part([1])],
        ],
      },
      names,
      false,
    );
    expect(lines.map(({ label, owner }) => [label, owner])).toEqual([
      ["first · a", "first"],
      ["run 2 · a", "run 2"],
      ["first · b", "first"],
    ]);
    const [first, , third] = lines;
    expect(third?.color).toBe(first?.color);
    expect(third?.dash).not.toEqual(first?.dash);
  });
});
