import { describe, expect, test } from "vitest";
import { makeAxis, positionOfValue, suggestsLogScale } from "../../src/compare/axis";
import { runsWith } from "./runs";

const axisOf = (values: unknown[], options: Partial<Parameters<typeof makeAxis>[2]> = {}) => {
  const runs = runsWith("f", values);
  const axis = makeAxis(runs, "f", { tickCount: 6, ...options });
  return { axis, positions: runs.map(axis.position) };
};

describe("an axis of numbers", () => {
  test("reaches from the least to the greatest value", () => {
    const { axis, positions } = axisOf([1, 3, 2]);
    expect(positions).toEqual([0, 1, 0.5]);
    expect(axis).toMatchObject({ isCategorical: false, log: false, hasMissing: false });
    expect(axis.value(0.5)).toBe(2);
  });

  test("has a log scale for several magnitudes", () => {
    const { axis, positions } = axisOf([1e-4, 1e-2, 1]);
    expect(axis.log).toBe(true);
    expect(positions.map((position) => position?.toFixed(6))).toEqual([
      "0.000000",
      "0.500000",
      "1.000000",
    ]);
  });

  test("has the scale that is asked for", () => {
    expect(axisOf([1e-4, 1], { log: false }).axis.log).toBe(false);
    expect(axisOf([1, 2], { log: true }).axis.log).toBe(true);
    const { axis, positions } = axisOf([-1, 0, 10, 100], { log: true });
    expect(positions).toEqual([undefined, undefined, 0, 1]);
    expect(axis.hasMissing).toBe(true);
    expect(axisOf([-2, -1], { log: true }).axis.log).toBe(false);
  });

  test("has integer ticks for integers", () => {
    const { axis } = axisOf([0, 1, 2, 3]);
    expect(axis.ticks.map(({ label }) => label)).toEqual(["0", "1", "2", "3"]);
  });

  test("shows a single value in the middle", () => {
    const { axis, positions } = axisOf([5, 5]);
    expect(positions).toEqual([0.5, 0.5]);
    expect(axis.ticks).toEqual([{ position: 0.5, label: "5" }]);
  });

  test("with a margin has no value at its ends", () => {
    for (const position of axisOf([1, 2], { margin: true }).positions) {
      expect(position).toBeGreaterThan(0.01);
      expect(position).toBeLessThan(0.99);
    }
  });

  test("leaves out NaN and missing values", () => {
    const { axis, positions } = axisOf([1, "NaN", "-Infinity", null, undefined, 2]);
    expect(axis.isCategorical).toBe(false);
    expect(positions).toEqual([0, undefined, undefined, undefined, undefined, 1]);
  });
});

describe("an axis of words", () => {
  test("has them at even distances, in order", () => {
    const { axis, positions } = axisOf(["c", "a", "b", "a", null]);
    expect(axis).toMatchObject({ isCategorical: true, hasMissing: true });
    expect(positions).toEqual([1, 0, 0.5, 0, undefined]);
    expect(axis.ticks.map(({ label }) => label)).toEqual(["a", "b", "c"]);
  });

  test("contains numbers, too, if there is a word", () => {
    expect(
      axisOf([1, "a", true])
        .axis.ticks.map(({ label }) => label)
        .sort(),
    ).toEqual(["1", "a", "true"]);
  });

  test("labels some of many words", () => {
    const words = Array.from({ length: 100 }, (_, index) => `w${index}`);
    const { axis, positions } = axisOf(words);
    expect(axis.ticks.length).toBeLessThanOrEqual(12);
    expect(new Set(positions).size).toBe(100);
  });

  test("without any value is empty", () => {
    const { axis, positions } = axisOf([null, undefined]);
    expect(axis.ticks).toEqual([]);
    expect(positions).toEqual([undefined, undefined]);
  });
});

test("positionOfValue is the inverse of value", () => {
  for (const values of [
    [1, 3],
    [1e-6, 1e3],
    [-5, 5],
  ]) {
    const { axis } = axisOf(values);
    for (const position of [0, 0.2, 0.9, 1]) {
      expect(positionOfValue(axis, axis.value(position))).toBeCloseTo(position, 9);
    }
  }
});

test.each([
  [[1, 100], true],
  [[1, 99], false],
  [[0, 100], false],
  [[-1, -1000], false],
  [[5], false],
])("suggestsLogScale(%j) is %j", (numbers, expected) => {
  expect(suggestsLogScale(numbers)).toBe(expected);
});
