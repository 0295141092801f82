import { describe, expect, test } from "vitest";
import { drawingOrder, lonePoints, plotData, plotShape } from "../../src/chart/plot-data";
import { yRange } from "../../src/chart/y-range";
import { line, view } from "./fixtures";

const data = (lines: ReturnType<typeof line>[], more: Parameters<typeof view>[0] = {}) =>
  plotData(lines, view(more), yRange(lines, view(more)));

test("drawingOrder has bands, then unsmoothed values, then lines", () => {
  const plain = { low: undefined, unsmoothed: undefined };
  expect(
    drawingOrder([plain, { low: [1], unsmoothed: [1] }, { ...plain, unsmoothed: [1] }]),
  ).toEqual([1, 2, 3, 5, 0, 4, 6]);
});

describe("plotData", () => {
  test("joins the lines over one x axis", () => {
    const [xs, first, second] = data([line([1, 2]), line([5], { x: [7] })]);
    expect(xs).toEqual([0, 1, 7]);
    expect(first).toEqual([1, 2, undefined]);
    expect(second).toEqual([undefined, undefined, 5]);
  });

  test("leaves out what log scales cannot show", () => {
    expect(data([line([-1, 2])], { logY: true })[1]).toEqual([null, 2]);
    expect(data([line([1, 2])], { logX: true })).toEqual([[1], [2]]);
  });

  test("of no lines is empty", () => {
    expect(data([])).toEqual([[]]);
  });
});

test("plotShape changes with what needs a new plot", () => {
  const shape = plotShape([line([1, 2])], view());
  expect(plotShape([line([3])], view({ zoom: { min: 0, max: 1 } }))).toBe(shape);
  expect(plotShape([line([1, 2], { color: "#ffffff" })], view())).not.toBe(shape);
  expect(plotShape([line([1, 2], { low: [0, 0] })], view())).not.toBe(shape);
  expect(plotShape([line([1, 2])], view({ logY: true }))).not.toBe(shape);
});

test.each([
  [[1, 2, null, 3], [3]],
  [
    [1, null, 2, undefined, null, 3, undefined],
    [0, 2, 5],
  ],
  [[undefined, 1, undefined, 2], null],
  [[1, 2], null],
  [[null], null],
  [[], null],
])("the points of %j that no line leads to", (values, lone) => {
  expect(lonePoints(values)).toEqual(lone);
});
