import { describe, expect, test } from "vitest";
import { axisOfMetric } from "../../src/chart/metric-axis";
import { describePoint, describePosition, nearestIndex, valueText } from "../../src/chart/tooltip";
import { seeded } from "../random";
import { line } from "./fixtures";

test("nearestIndex agrees with a search of all values", () => {
  const random = seeded(5);
  for (let turn = 0; turn < 300; turn++) {
    const values = Array.from({ length: 1 + Math.floor(random() * 20) }, () => random() * 100);
    values.sort((left, right) => left - right);
    const x = random() * 120 - 10;
    const distance = (value: number) => Math.abs(value - x);
    const nearest = values[nearestIndex(values, x)] as number;
    expect(distance(nearest)).toBe(Math.min(...values.map(distance)));
  }
});

describe("describePosition", () => {
  test.each([
    [line([1]), "step 0"],
    [line([1], { steps: [[3, 9]] }), "steps 3 – 9"],
    [line([1], { axis: "relative", from: [1.23456] }), "1.235 s · step 0"],
    [line([1], { axis: "relative", steps: [[null, null]], from: [2] }), "2 s"],
    [line([1], { axis: axisOfMetric("epoch"), from: [2.5] }), "epoch 2.5 · step 0"],
  ])("%#", (shown, text) => {
    expect(describePosition({ line: shown, index: 0 })).toBe(text);
  });
});

describe("valueText", () => {
  const large = [9007199254740993n, undefined];
  test.each([
    [line([0.5]), 0, "0.5"],
    [line([null], { notes: ["NaN"] }), 0, "NaN"],
    [line([9007199254740992, 2], { large }), 0, "9007199254740993"],
    [line([9007199254740992, 2], { large }), 1, "2"],
    [line([1.5, 2], { large, unsmoothed: [9007199254740992, 2] }), 0, "1.5"],
  ])("%#", (shown, index, text) => {
    expect(valueText({ line: shown, index, value: shown.y[index] ?? null })).toBe(text);
  });

  test("are rounded if they are computed", () => {
    const mean = line([1 / 3], { runs: 2, low: [0.1], high: [0.7] });
    expect(valueText({ line: mean, index: 0, value: 1 / 3 })).toBe("0.333333");
    expect(describePoint({ line: mean, index: 0, value: 1 / 3 })).toBe("± 0.3 · 1 of 2 runs");
    const smoothed = line([1 / 3], { unsmoothed: [2 / 3] });
    expect(valueText({ line: smoothed, index: 0, value: 1 / 3 })).toBe("0.333333");
    expect(describePoint({ line: smoothed, index: 0, value: 1 / 3 })).toContain(`${2 / 3}`);
  });

  test("of the step and the value before smoothing", () => {
    const smoothed = line([1.5], {
      large,
      unsmoothed: [9007199254740992],
      steps: [[2n ** 60n, 2n ** 60n]],
    });
    expect(describePoint({ line: smoothed, index: 0, value: 1.5 })).toContain("9007199254740993");
    expect(describePosition({ line: smoothed, index: 0 })).toBe("step 1152921504606846976");
  });
});

describe("describePoint", () => {
  test.each([
    [line([1]), ""],
    [line([1], { count: [5], low: [0], high: [2] }), "0 … 2 · 5 points"],
    [line([1], { runs: 2, count: [1], low: [0], high: [2] }), "± 1 · 1 of 2 runs"],
    [line([1], { runs: 1 }), "1 of 1 run"],
    [line([1], { unsmoothed: [3] }), "unsmoothed 3"],
    [line([1], { unsmoothed: [null], notes: ["NaN"] }), "unsmoothed NaN · NaN"],
  ])("%#", (shown, text) => {
    expect(describePoint({ line: shown, index: 0, value: shown.y[0] ?? null })).toBe(text);
  });
});
