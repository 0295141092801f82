import { afterEach, describe, expect, test, vi } from "vitest";
import type { RunChart } from "../../src/api/types";
import {
  type ChartRequest,
  fetchChart,
  mergeRuns,
  stepsBetween,
  withStart,
} from "../../src/chart/chart-data";
import { bucket } from "./fixtures";

const chart = (data: RunChart["data"], more: Partial<RunChart> = {}): RunChart => ({
  data,
  raw: false,
  x: "step",
  ...more,
});
const wide = (first: number, last: number) =>
  bucket(first, 1, { step_last: last, count: 10, mean: 1 });

describe("withStart", () => {
  test("replaces the buckets up to a step", () => {
    const coarse = chart([wide(0, 9), wide(10, 19)]);
    const fine = chart([wide(0, 4), wide(5, 9)]);
    const steps = withStart(fine, coarse, 9).data.map(({ step, step_last }) => [step, step_last]);
    expect(steps).toEqual([
      [0, 4],
      [5, 9],
      [10, 19],
    ]);
  });

  test("turns points into buckets", () => {
    const [first] = withStart(chart([bucket(0, 3)], { raw: true }), chart([wide(0, 9)]), 9).data;
    expect(first).toMatchObject({ step: 0, mean: 3, min: 3, max: 3 });
  });

  test("keeps the chart of a run that has no start", () => {
    const coarse = chart([wide(0, 9)]);
    expect(withStart(undefined, coarse, 9)).toBe(coarse);
  });
});

test("mergeRuns prefers fresh data and keeps the order", () => {
  const [old, fresh] = [chart([bucket(0, 1)]), chart([bucket(0, 2)])];
  const before = {
    runs: new Map([
      [1, old],
      [2, old],
    ]),
  };
  const merged = mergeRuns([2, 1, 3], before, { runs: new Map([[1, fresh]]) });
  expect([...merged.runs]).toEqual([
    [2, old],
    [1, fresh],
  ]);
});

test("mergeRuns leaves out runs that were deleted", () => {
  const old = chart([bucket(0, 1)]);
  const before = {
    runs: new Map([
      [1, old],
      [2, old],
    ]),
  };
  const merged = mergeRuns([1, 2], before, { runs: new Map(), deleted: [1] });
  expect([...merged.runs.keys()]).toEqual([2]);
});

describe("stepsBetween", () => {
  const data = [0, 10, 20, 30].map((step) =>
    bucket(step, 1, { step_last: step + 9, x: step / 10, x_last: step / 10 + 0.9 }),
  );
  const runs = new Map([[1, chart(data, { x: "relative" })]]);

  test("are the steps of overlapping buckets", () => {
    expect(stepsBetween({ runs }, { min: 1.5, max: 2.1 })).toEqual({ min: 10, max: 29 });
  });

  test("are undefined where there are none", () => {
    expect(stepsBetween({ runs }, { min: 50, max: 60 })).toBeUndefined();
    const without = new Map([[1, chart([bucket(0, 1, { step: null, step_last: null, x: 1 })])]]);
    expect(stepsBetween({ runs: without }, { min: 0, max: 9 })).toBeUndefined();
  });
});

describe("fetchChart", () => {
  const request: ChartRequest = {
    runIds: [1, 2],
    path: "loss",
    points: 50,
    x: "step",
    smoothing: 0,
    groupBy: "",
    choice: { run_ids: [1, 2] },
    quartiles: false,
    logX: false,
  };
  const bodies: Record<string, unknown>[] = [];
  const answer = (...answers: unknown[]) =>
    vi.stubGlobal("fetch", async (_path: string, options: { body: string }) => {
      bodies.push(JSON.parse(options.body));
      return new Response(JSON.stringify(answers.shift()));
    });
  afterEach(() => {
    bodies.length = 0;
  });
  const signal = new AbortController().signal;

  test("returns the runs and those that are deleted", async () => {
    answer({ 1: { loss: chart([bucket(0, 1)]) } });
    const { runs, deleted } = await fetchChart(request, signal);
    expect([...runs.keys()]).toEqual([1]);
    expect(deleted).toEqual([2]);
    expect(bodies[0]).toEqual({ run_ids: [1, 2], metric_paths: ["loss"], points: 50, x: "step" });
  });

  test("refines the start for a log scale", async () => {
    const coarse = {
      1: { loss: chart([wide(0, 99), wide(100, 199)]) },
      2: { loss: chart([bucket(0, 1)]) },
    };
    const fine = { 1: { loss: chart([bucket(0, 1), bucket(50, 2)], { raw: true }) } };
    answer(coarse, fine);
    const { runs } = await fetchChart({ ...request, logX: true }, signal);
    expect(bodies[1]).toMatchObject({ run_ids: [1], step_max: 99 });
    expect(runs.get(1)?.data.map(({ step }) => step)).toEqual([0, 50, 100]);
    expect(bodies).toHaveLength(2);
  });

  test("is placed over a metric at the same steps", async () => {
    answer(
      { 1: { loss: chart([bucket(0, 5), bucket(1, 4)], { raw: true }) } },
      { 1: { epoch: chart([bucket(0, 1), bucket(1, 2)], { raw: true }) } },
    );
    const over = { ...request, xMetric: "epoch", groupBy: "group", smoothing: 0.5 };
    const { runs } = await fetchChart(over, signal);
    expect(runs.get(1)?.data.map(({ x, last }) => [x, last])).toEqual([
      [1, 5],
      [2, 4],
    ]);
    // Smoothing the axis would move the points, and means of groups have no such axis.
    expect(bodies[0]).toMatchObject({ metric_paths: ["loss"], smoothing: 0.5 });
    expect(bodies[1]).toMatchObject({ metric_paths: ["epoch"] });
    expect(bodies.map((body) => [body.smoothing, body.group_by])).toEqual([
      [0.5, undefined],
      [undefined, undefined],
    ]);
  });

  test("shows runs where there are no groups", async () => {
    const grouped = { groups: [{ value: "a", run_ids: [1], metrics: {} }] };
    answer(grouped, { 1: { loss: chart([bucket(0, 1)]) }, 2: {} });
    const { runs, groups } = await fetchChart({ ...request, groupBy: "group" }, signal);
    expect(groups).toBeUndefined();
    expect([...runs.keys()]).toEqual([1]);
  });

  test("groups keep the slots of all groups", async () => {
    const metrics = { loss: chart([]) };
    const groups = [
      { value: "a", run_ids: [1], metrics: {} },
      { value: "b", run_ids: [2], metrics },
    ];
    answer({ groups });
    const result = await fetchChart({ ...request, groupBy: "group", x: "time" }, signal);
    expect(result.groups?.map(({ slot, value }) => [slot, value])).toEqual([[1, "b"]]);
    expect(bodies[0]).toMatchObject({ group_by: "group", x: "relative" });
  });
});
