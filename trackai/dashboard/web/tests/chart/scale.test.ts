import { describe, expect, test } from "vitest";
import { makeScale, outlierFences, padded } from "../../src/chart/scale";
import { randomRanges, seeded } from "../random";

describe("makeScale", () => {
  test("position and value are inverse", () => {
    for (const [low, high] of randomRanges(300)) {
      const scale = makeScale(low, high, false, 5);
      expect(scale.position(low)).toBe(0);
      expect(scale.position(high)).toBeCloseTo(1, 9);
      for (const position of [0, 0.25, 1]) {
        expect(scale.position(scale.value(position))).toBeCloseTo(position, 4);
      }
    }
  });

  test("on a log scale, equal factors are equal distances", () => {
    const scale = makeScale(0.01, 100, true, 5);
    expect([0.01, 0.1, 1, 10, 100].map(scale.position)).toEqual([0, 0.25, 0.5, 0.75, 1]);
    expect(scale.value(0.5)).toBe(1);
    expect(scale.ticks).toEqual([0.01, 0.1, 1, 10, 100]);
  });

  test("a range of no width has finite positions", () => {
    expect(makeScale(3, 3, false, 5).position(3)).toBe(0);
  });
});

describe("padded", () => {
  test("adds a margin at both ends", () => {
    for (const [low, high] of randomRanges(300)) {
      const [start, end] = padded(low, high, false);
      expect(start).toBeLessThanOrEqual(low);
      expect(end).toBeGreaterThan(high);
      if (low >= 0) expect(start).toBeGreaterThanOrEqual(0);
    }
  });

  test("gives a single value room", () => {
    expect(padded(5, 5, false)).toEqual([4.5, 5.5]);
    expect(padded(0, 0, false)).toEqual([0, 1]);
    const [low, high] = padded(5, 5, true);
    expect(low).toBeLessThan(5);
    expect(high).toBeGreaterThan(5);
  });

  test("stays finite", () => {
    const max = Number.MAX_VALUE;
    for (const log of [false, true]) {
      const [low, high] = padded(log ? 1 : -max, max, log);
      expect(Number.isFinite(high - low)).toBe(true);
    }
  });
});

describe("outlierFences", () => {
  const random = seeded(4);
  const values = Array.from({ length: 1000 }, () => random() + 1);

  test("leave out far values", () => {
    expect(outlierFences([...values, 1000, -1000], false)).toEqual([
      Math.min(...values),
      Math.max(...values),
    ]);
  });

  test("do not exist without outliers, or with few values", () => {
    expect(outlierFences(values, false)).toBeUndefined();
    expect(outlierFences([1, 1, 1, 1000], false)).toBeUndefined();
  });

  test("keep a value that is frequent", () => {
    const frequent = Array.from({ length: 100 }, () => 1000);
    expect(outlierFences([...values, ...frequent], false)).toBeUndefined();
  });

  test("on a log scale contain what they should", () => {
    const fences = outlierFences([...values, 1e9, 1e-9], true) as [number, number];
    expect(values.every((value) => value >= fences[0] && value <= fences[1])).toBe(true);
    expect(fences[1]).toBeLessThan(3);
  });
});
