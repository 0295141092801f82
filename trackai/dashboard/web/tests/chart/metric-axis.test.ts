import { describe, expect, test } from "vitest";
import type { Bucket, RunChart } from "../../src/api/types";
import { axisName, axisOfMetric, metricOfAxis, placeOverMetric } from "../../src/chart/metric-axis";
import { seeded } from "../random";
import { bucket } from "./fixtures";

const raw = (data: Bucket[]): RunChart => ({ data, raw: true, x: "step" });
const points = (values: [step: number, value: number][]) =>
  raw(values.map(([step, value]) => bucket(step, value)));

const xs = (chart: RunChart, over: RunChart | undefined) =>
  placeOverMetric(chart, over, "epoch").data.map(({ x, x_last }) => [x, x_last]);

describe("an axis of a metric", () => {
  test.each(["epoch", "a:b/c d", "100%", "metric x"])("is of %s", (path) => {
    expect(metricOfAxis(axisOfMetric(path))).toBe(path);
    expect(axisOfMetric(path)).not.toContain(":");
  });

  test("is told from others", () => {
    expect(["step", "time", "relative"].map(metricOfAxis)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(axisName(axisOfMetric("val/loss"))).toBe("val/loss");
    expect(axisName("relative")).toBe("seconds since start");
  });
});

describe("placeOverMetric", () => {
  test("takes the value at the same step", () => {
    const chart = points([
      [1, 5],
      [2, 6],
      [3, 7],
    ]);
    const tokens = points([
      [1, 100],
      [2, 250],
      [3, 300],
    ]);
    const placed = placeOverMetric(chart, tokens, "tokens");
    expect(placed.data.map(({ x, last }) => [x, last])).toEqual([
      [100, 5],
      [250, 6],
      [300, 7],
    ]);
    expect(placed).toMatchObject({ raw: true, x: axisOfMetric("tokens"), unplaced: 0 });
  });

  test("interpolates between two steps, and leaves out what is outside", () => {
    const chart = points([
      [0, 1],
      [15, 1],
      [20, 1],
      [31, 1],
    ]);
    expect(
      xs(
        chart,
        points([
          [10, 1],
          [20, 2],
          [30, 3],
        ]),
      ),
    ).toEqual([
      [1.5, 1.5],
      [2, 2],
    ]);
    const placed = placeOverMetric(
      chart,
      points([
        [10, 1],
        [20, 2],
        [30, 3],
      ]),
      "epoch",
    );
    expect(placed.unplaced).toBe(2);
  });

  test("has no points for a run without the metric", () => {
    const placed = placeOverMetric(
      points([
        [1, 1],
        [2, 2],
      ]),
      undefined,
      "epoch",
    );
    expect(placed).toMatchObject({ data: [], unplaced: 2 });
  });

  test("places the ends of a bucket at the values of the same steps", () => {
    const wide = { ...bucket(0, 1), step_last: 9, count: 10, mean: 1, min: 0, max: 2 };
    const over = { ...bucket(0, 0), step_last: 9, count: 10, first: 0, last: 90, mean: 45 };
    const chart: RunChart = { data: [wide], raw: false, x: "step" };
    expect(xs(chart, { data: [over], raw: false, x: "step" })).toEqual([[0, 90]]);
  });
});

describe("points at one x", () => {
  test("are one bucket, and sorted", () => {
    const chart = points([
      [0, 1],
      [1, 3],
      [2, 5],
      [3, 9],
    ]);
    const placed = placeOverMetric(
      chart,
      points([
        [0, 1],
        [1, 0],
        [2, 0],
        [3, 2],
      ]),
      "epoch",
    );
    expect(placed.raw).toBe(false);
    expect(placed.data.map(({ x, mean, min, max, count }) => [x, mean, min, max, count])).toEqual([
      [0, 4, 3, 5, 2],
      [1, 1, 1, 1, 1],
      [2, 9, 9, 9, 1],
    ]);
  });

  test("that are not finite are counted, and left out of means", () => {
    const nan = { ...bucket(1, 0), last: "NaN", non_finite: 1 };
    const chart = raw([bucket(0, 4), nan]);
    const [merged] = placeOverMetric(
      chart,
      points([
        [0, 1],
        [1, 1],
      ]),
      "epoch",
    ).data;
    expect(merged).toMatchObject({ mean: 4, min: 4, max: 4, count: 2, non_finite: 1 });
    const [only] = placeOverMetric(raw([nan]), points([[1, 1]]), "epoch").data;
    expect(only).toMatchObject({ last: "NaN", non_finite: 1 });
  });
});

describe("points without a place", () => {
  test("have an x that is not finite", () => {
    const epochs = raw([bucket(0, 0), { ...bucket(1, 0), last: "NaN" }, bucket(2, 2)]);
    expect(
      xs(
        points([
          [0, 1],
          [1, 1],
          [2, 1],
        ]),
        epochs,
      ),
    ).toEqual([
      [0, 0],
      [1, 1],
      [2, 2],
    ]);
  });

  test("are of a metric without steps", () => {
    const system = raw([{ ...bucket(0, 1), step: null, step_last: null }]);
    expect(placeOverMetric(system, points([[0, 1]]), "epoch")).toMatchObject({
      data: [],
      unplaced: 1,
    });
  });

  test("are counted: no point is lost or counted twice", () => {
    const random = seeded(3);
    for (let turn = 0; turn < 200; turn++) {
      const steps = Array.from({ length: 1 + Math.floor(random() * 30) }, (_, step) => step);
      const chart = points(steps.map((step) => [step, random()]));
      const over = points(
        steps.filter(() => random() < 0.5).map((step) => [step, Math.floor(random() * 5)]),
      );
      const { data, unplaced = 0 } = placeOverMetric(chart, over, "epoch");
      const placed = data.reduce((sum, { count }) => sum + count, 0);
      expect(placed + unplaced).toBe(steps.length);
      const places = data.map(({ x }) => x as number);
      expect(places).toEqual(places.toSorted((left, right) => left - right));
      // Lines need one value for each x.
      expect(new Set(places).size).toBe(places.length);
    }
  });
});
