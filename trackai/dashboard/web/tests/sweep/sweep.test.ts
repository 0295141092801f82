import { describe, expect, test } from "vitest";
import { makeAxis, suggestsLogScale } from "../../src/compare/axis";
import type { ComparedRun } from "../../src/compare/compared-runs";
import { pointBeside, type ScatterPoint } from "../../src/compare/scatter-layout";
import { rangeCondition, withConditions } from "../../src/sweep/brush-filter";
import { joinColumns } from "../../src/sweep/sweep-runs";
import { joinTarget, splitTarget, targetName } from "../../src/sweep/target";

const run = (id: number, values: Record<string, unknown>): ComparedRun => ({
  id,
  name: `r${id}`,
  state: "completed",
  values,
});

describe("joinColumns", () => {
  const part = (ids: number[], values: Record<string, number[]>) => ({
    total: 5,
    run_ids: ids,
    names: ids.map((id) => `r${id}`),
    states: ids.map(() => "completed" as const),
    values,
  });

  test("has the values of all requests, without a run that came in between", () => {
    const first = part([2, 1], { a: [20, 10] });
    const second = part([3, 2, 1], { b: [3, 2, 1] });
    const { runs, total } = joinColumns([first, second]);
    expect(total).toBe(5);
    expect(runs).toEqual([run(2, { a: 20, b: 2 }), run(1, { a: 10, b: 1 })]);
  });

  test("of nothing is nothing", () => {
    expect(joinColumns([])).toEqual({ runs: [], total: 0 });
  });
});

describe("rangeCondition", () => {
  const runs = [
    run(1, { n: 1, w: 'a "b"', m: 1, l: [1] }),
    run(2, { n: 2, w: "c", m: true, l: [2] }),
    run(3, { n: 3, w: "d", m: "x", l: "y" }),
  ];
  const condition = (field: string, low: number, high: number) =>
    rangeCondition({ field, low, high }, makeAxis(runs, field, { tickCount: 5 }), runs);

  test("of numbers is a range", () => {
    expect(condition("n", 1.5, 3)).toBe("n >= 1.5 and n <= 3");
  });

  test("of words and mixed values is a list of them", () => {
    expect(condition("w", 0, 0.6)).toBe('(w = "a \\"b\\"" or w = "c")');
    expect(condition("w", 0.9, 1)).toBe('w = "d"');
    expect(condition("m", 0, 1)).toBe('(m = 1 or m = true or m = "x")');
  });

  test("is unknown for lists, and for a range without runs", () => {
    expect(condition("l", 0, 1)).toBeUndefined();
    expect(condition("w", 0.1, 0.2)).toBeUndefined();
  });

  test("joins the filter that holds already", () => {
    expect(withConditions("", ["a = 1"])).toBe("a = 1");
    expect(withConditions("x or y", ["a = 1", "b = 2"])).toBe("(x or y) and a = 1 and b = 2");
    expect(withConditions("x", ["a = 1", undefined])).toBeUndefined();
  });
});

test.each([
  ["metric.loss.min", "metric.loss", "min", "min loss"],
  ['metric."a b".last', 'metric."a b"', "last", "last a b"],
  ["duration", "duration", "last", "duration"],
])("the target %s", (target, metric, figure, name) => {
  expect(splitTarget(target)).toEqual({ metric, figure });
  expect(targetName(target)).toBe(name);
  expect(joinTarget(metric, figure)).toBe(target);
});

test("pointBeside goes from left to right, and stays at the ends", () => {
  const point = (id: number, x: number): ScatterPoint => ({ run: run(id, {}), x, y: 0 });
  const points = [point(1, 30), point(2, 10), point(3, 20)];
  expect(pointBeside(points, undefined, 1)?.run.id).toBe(2);
  expect(pointBeside(points, undefined, -1)?.run.id).toBe(1);
  expect(pointBeside(points, 2, 1)?.run.id).toBe(3);
  expect(pointBeside(points, 2, -1)?.run.id).toBe(2);
  expect(pointBeside([], undefined, 1)).toBeUndefined();
});

describe("suggestsLogScale", () => {
  test("of an even spread that begins near 0 is false", () => {
    const even = Array.from({ length: 1000 }, (_, index) => (index + 1) / 2000);
    expect(suggestsLogScale(even)).toBe(false);
  });

  test("of several magnitudes is true", () => {
    expect(suggestsLogScale([1e-4, 1e-2])).toBe(true);
    expect(suggestsLogScale(Array.from({ length: 100 }, (_, index) => 10 ** (-index / 20)))).toBe(
      true,
    );
    expect(suggestsLogScale([0, 1e-4, 1])).toBe(false);
    expect(suggestsLogScale([])).toBe(false);
  });
});
