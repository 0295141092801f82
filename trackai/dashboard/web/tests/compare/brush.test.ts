import { describe, expect, test } from "vitest";
import { brushedRuns, parseBrushes, printBrush } from "../../src/compare/brush";
import { moveBrush } from "../../src/compare/parallel-axis";
import { runsWith } from "./runs";

test("brushes come back in six digits", () => {
  const brush = { field: 'config."a, b"', low: 1 / 3, high: 1e-7 };
  expect(parseBrushes([printBrush(brush)])).toEqual([{ ...brush, low: 0.333333 }]);
  expect(parseBrushes(["x", "x|1", "|1|2", "x||2"])).toEqual([]);
});

describe("brushedRuns", () => {
  const ids = (runs: ReturnType<typeof runsWith>) => runs.map(({ id }) => id);

  test("are within all ranges, with the ends", () => {
    const runs = runsWith("f", [1, 2, 3, 4, null]);
    expect(ids(brushedRuns(runs, []))).toEqual([1, 2, 3, 4, 5]);
    expect(ids(brushedRuns(runs, [{ field: "f", low: 2, high: 3 }]))).toEqual([2, 3]);
    const both = [
      { field: "f", low: 2, high: 3 },
      { field: "f", low: 3, high: 4 },
    ];
    expect(ids(brushedRuns(runs, both))).toEqual([3]);
  });

  test("include values at rounded ends", () => {
    const runs = runsWith("f", [1 / 3, 2 / 3]);
    const [brush] = parseBrushes([printBrush({ field: "f", low: 1 / 3, high: 2 / 3 })]);
    expect(ids(brushedRuns(runs, brush ? [brush] : []))).toEqual([1, 2]);
  });

  test("of words are within positions", () => {
    const runs = runsWith("f", ["a", "b", "c"]);
    expect(ids(brushedRuns(runs, [{ field: "f", low: 0.4, high: 1 }]))).toEqual([2, 3]);
  });
});

describe("moveBrush", () => {
  const press = (key: string, shiftKey = false) => ({ key, shiftKey });

  test("starts with a half of the axis", () => {
    expect(moveBrush(press("ArrowDown"), undefined)).toEqual([0, 0.5]);
    expect(moveBrush(press("ArrowUp"), undefined)).toEqual([0.5, 1]);
  });

  test("moves and resizes within the axis", () => {
    expect(moveBrush(press("ArrowUp"), [0.2, 0.5])).toEqual([
      expect.closeTo(0.3),
      expect.closeTo(0.6),
    ]);
    expect(moveBrush(press("ArrowDown"), [0.05, 0.5])).toEqual([0, 0.4]);
    expect(moveBrush(press("ArrowUp", true), [0.2, 0.95])).toEqual([0.2, 1]);
    expect(moveBrush(press("ArrowDown", true), [0.2, 0.25])).toEqual([0.2, 0.25]);
  });

  test("ignores other keys", () => {
    expect(moveBrush(press("Tab"), [0, 1])).toBeUndefined();
  });
});
