import { describe, expect, test } from "vitest";
import { bandBottom, type ChartView, describeHidden, yRange } from "../../src/chart/y-range";
import { line, view } from "./fixtures";

describe("yRange", () => {
  test("contains lines, bands and unsmoothed values", () => {
    const lines = [line([1, 2, 3], { low: [0.5, 2, 3], high: [1, 2, 8], unsmoothed: [1, -1, 3] })];
    const { range } = yRange(lines, view());
    expect(range?.[0]).toBeLessThan(-1);
    expect(range?.[1]).toBeGreaterThan(8);
  });

  test("is of the zoomed part", () => {
    const { range, total } = yRange([line([0, 10, 20, 1000])], view({ zoom: { min: 1, max: 2 } }));
    expect(total).toBe(2);
    expect(range?.[0]).toBeGreaterThan(5);
    expect(range?.[1]).toBeLessThan(30);
  });

  test("counts what a log scale cannot show", () => {
    const result = yRange([line([-1, 0, 1, 10, null])], view({ logY: true }));
    expect(result).toMatchObject({ notPositive: 2, total: 4, clipped: 0 });
    expect(result.range?.[0]).toBeGreaterThan(0);
    expect(yRange([line([1, 2])], view({ logX: true })).total).toBe(1);
  });

  test("clips outliers", () => {
    const values = [...Array.from({ length: 99 }, (_, index) => index % 7), 1e6];
    const clipped = yRange([line(values)], view({ clipOutliers: true }));
    expect(clipped).toMatchObject({ clipped: 1, total: 100 });
    expect(clipped.range?.[1]).toBeLessThan(10);
    expect(yRange([line(values)], view()).range?.[1]).toBeGreaterThan(1e6);
  });

  test("shows the few high values at the beginning of a loss, but not a far one", () => {
    const loss = (first: number) => [first, ...Array.from({ length: 99 }, (_, at) => 2 - at / 100)];
    const clipOutliers = view({ clipOutliers: true });
    expect(yRange([line(loss(3.5))], clipOutliers).clipped).toBe(0);
    expect(yRange([line(loss(50))], clipOutliers).clipped).toBe(1);
    const onLog = view({ clipOutliers: true, logY: true });
    expect(yRange([line(loss(3.5))], onLog).clipped).toBe(0);
    expect(yRange([line(loss(1e9))], onLog).clipped).toBe(1);
  });

  test("is set by hand, at both ends or one", () => {
    const limited = (limits: ChartView["limits"], more: Partial<ChartView> = {}) =>
      yRange([line([1, 2, 3, 10])], view({ limits, ...more }));
    const both = limited({ min: 2, max: 5 });
    expect(both).toMatchObject({ range: [2, 5], clipped: 2, byHand: true });
    const low = limited({ min: 2 });
    expect(low.range?.[0]).toBe(2);
    expect(low.range?.[1]).toBeGreaterThan(10);
    expect(low.clipped).toBe(1);
    expect(limited({ max: 3 }).range?.[1]).toBe(3);
    // An end beyond all values leaves a range all the same.
    const [start, end] = limited({ min: 50 }).range ?? [0, 0];
    expect(start).toBe(50);
    expect(end).toBeGreaterThan(50);
    // A log scale ignores an end that it cannot show.
    expect(limited({ min: -1 }, { logY: true })).toMatchObject({ clipped: 0, byHand: false });
    expect(limited({ min: -1, max: 5 }, { logY: true }).range?.[0]).toBeGreaterThan(0);
  });

  test("does not exist without values", () => {
    expect(yRange([line([null])], view()).range).toBeUndefined();
  });
});

test.each([
  [{ clipped: 0, notPositive: 0, total: 3 }, ""],
  [{ clipped: 1, notPositive: 0, total: 100 }, "1 of 100 values clipped as outliers"],
  [{ clipped: 0, notPositive: 1, total: 1 }, "1 of 1 value not above 0"],
  [
    { clipped: 2, notPositive: 3, total: 9 },
    "2 of 9 values clipped as outliers, 3 of 9 values not above 0",
  ],
  [{ clipped: 2, byHand: true, notPositive: 0, total: 9 }, "2 of 9 values outside the y range"],
])("describeHidden(%j)", (hidden, text) => {
  expect(describeHidden({ range: undefined, ...hidden })).toBe(text);
});

test("bandBottom is at the bottom of a log scale", () => {
  const range = { range: [0.1, 10] as [number, number], clipped: 0, notPositive: 0, total: 3 };
  expect(bandBottom([-1, null, 2], view({ logY: true }), range)).toEqual([0.1, null, 2]);
  expect(bandBottom([-1, null, 2], view(), range)).toEqual([-1, null, 2]);
});

test("describeHidden counts values without a place on the x axis", () => {
  const range = { range: undefined, clipped: 1, notPositive: 0, total: 9 };
  const lines = [line([1], { unplaced: 3 }), line([1]), line([1], { unplaced: 1 })];
  expect(describeHidden(range, lines)).toBe(
    "4 values without a place on the x axis, 1 of 9 values clipped as outliers",
  );
});
