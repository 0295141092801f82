import { describe, expect, test } from "vitest";
import { makeAxis } from "../../src/compare/axis";
import { linePath, makeLayout, nearestRun } from "../../src/compare/parallel-layout";
import { makePoints, nearestPoint } from "../../src/compare/scatter-layout";
import { runsWith } from "./runs";

const runs = runsWith("f", [0, 1, 2, null]);
const axis = makeAxis(runs, "f", { tickCount: 5 });

describe("parallel coordinates", () => {
  const axes = [axis, axis, axis];
  const layout = makeLayout(axes.length, 900);

  test("axes keep a distance and fill the room", () => {
    expect(layout.width).toBe(900);
    const narrow = makeLayout(10, 300);
    expect(narrow.width).toBeGreaterThan(300);
    expect(narrow.x(1) - narrow.x(0)).toBeGreaterThanOrEqual(73);
  });

  test("a line starts at the first axis and has a curve to each other", () => {
    const path = linePath(runs[1] as (typeof runs)[number], axes, layout);
    expect(path).toMatch(/^M62\.5 /);
    expect(path.match(/C/g)).toHaveLength(2);
  });

  test("the nearest run is found between any two axes and beyond them", () => {
    const middle = layout.y(0.5);
    for (const x of [layout.x(0), layout.x(1) - 100, layout.x(2) - 5, layout.x(2) + 30]) {
      expect(nearestRun(runs, axes, layout, { x, y: middle + 3 })?.id).toBe(2);
    }
    expect(nearestRun(runs, axes, layout, { x: 200, y: layout.y(0.25) })).toBeUndefined();
    expect(nearestRun(runs, axes, layout, { x: 200, y: layout.y(undefined) })?.id).toBe(4);
  });

  test("right of the last axis, its own values count", () => {
    const flipped = {
      position: (run: Parameters<typeof axis.position>[0]) => 1 - (axis.position(run) ?? 0),
    };
    const pointer = { x: layout.x(2) + 10, y: layout.y(1) };
    expect(nearestRun(runs.slice(0, 3), [axis, axis, flipped], layout, pointer)?.id).toBe(1);
  });
});

describe("scatter plot", () => {
  const points = makePoints(runs, axis, axis, 600);

  test("has the runs with both values", () => {
    expect(points.map(({ run }) => run.id)).toEqual([1, 2, 3]);
    const xs = points.map(({ x }) => x);
    const ys = points.map(({ y }) => y);
    expect(xs).toEqual([...xs].sort((left, right) => left - right));
    expect(ys).toEqual([...ys].sort((left, right) => right - left));
  });

  test("finds the nearest point within reach", () => {
    const [first] = points;
    if (!first) throw new Error("no point found");
    expect(nearestPoint(points, first.x + 5, first.y, 10)).toBe(first);
    expect(nearestPoint(points, first.x + 15, first.y, 10)).toBeUndefined();
  });
});
