import { describe, expect, test } from "vitest";
import { linearTicks, logTicks, tickLabels } from "../../src/chart/ticks";
import { randomRanges, seeded } from "../random";

describe("linearTicks", () => {
  test.each([
    [0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]],
    [0, 0.3, 3, [0, 0.1, 0.2, 0.3]],
    [-10, 10, 4, [-10, -5, 0, 5, 10]],
    [5, 5, 4, [5]],
    [1, Infinity, 4, [1]],
  ])("from %d to %d, about %d", (low, high, count, ticks) => {
    expect(linearTicks(low, high, count)).toEqual(ticks);
  });

  test("are ascending, inside, and about as many as asked for", () => {
    for (const [low, high] of randomRanges(1000)) {
      for (const count of [3, 5, 12]) {
        const ticks = linearTicks(low, high, count);
        const slack = (high - low) * 1e-6;
        expect(ticks.length).toBeGreaterThan(0);
        expect(ticks.length).toBeLessThanOrEqual(count + 1);
        expect(Math.min(...ticks)).toBeGreaterThanOrEqual(low - slack);
        expect(Math.max(...ticks)).toBeLessThanOrEqual(high + slack);
        expect(ticks).toEqual([...new Set(ticks)].sort((left, right) => left - right));
      }
    }
  });

  test("exist among the smallest numbers", () => {
    const ticks = linearTicks(0, 1e-316, 5);
    expect(new Set(ticks).size).toBeGreaterThan(2);
  });
});

describe("logTicks", () => {
  test("are powers of ten over many decades", () => {
    expect(logTicks(1e-6, 1, 7)).toEqual([1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1]);
  });

  test("have multiples within few decades", () => {
    expect(logTicks(1, 10, 5)).toEqual([1, 2, 3, 5, 7, 10]);
  });

  test("are linear between two powers of ten", () => {
    expect(logTicks(11, 12, 5)).toEqual([11, 11.2, 11.4, 11.6, 11.8, 12]);
  });

  test("are ascending and inside", () => {
    const random = seeded(2);
    for (let turn = 0; turn < 500; turn++) {
      const low = 10 ** (random() * 40 - 20);
      const high = low * 10 ** (random() * 10 + 0.01);
      const ticks = logTicks(low, high, 6);
      expect(ticks.length).toBeGreaterThan(1);
      expect(ticks[0]).toBeGreaterThanOrEqual(low * 0.999);
      expect(ticks.at(-1)).toBeLessThanOrEqual(high * 1.001);
      expect(ticks).toEqual([...ticks].sort((left, right) => left - right));
    }
  });
});

describe("tickLabels", () => {
  test.each([
    [
      [0, 0.5, 1],
      ["0", "0.5", "1"],
    ],
    [
      [0, 50_000, 100_000],
      ["0", "50k", "100k"],
    ],
    [
      [1e6, 1.5e6],
      ["1M", "1.5M"],
    ],
    [
      [1e-5, 2e-5],
      ["1e-5", "2e-5"],
    ],
    [
      [0, 1e38],
      ["0", "1e38"],
    ],
  ])("%j", (ticks, labels) => {
    expect(tickLabels(ticks)).toEqual(labels);
  });

  test("of long numbers are distances from the first", () => {
    expect(tickLabels([100_000.1, 100_000.10002, 100_000.10004])).toEqual(
      ["100000.1", "100000.10002", "100000.10004"].map((label, index) =>
        index === 0 ? label : `+${index * 2}e-5`,
      ),
    );
  });

  test("tell ticks apart", () => {
    for (const [low, high] of randomRanges(500, 3)) {
      const ticks = linearTicks(low, high, 6);
      expect(new Set(tickLabels(ticks)).size).toBe(ticks.length);
    }
  });
});
