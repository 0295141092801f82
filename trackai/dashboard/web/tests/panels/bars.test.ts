import { describe, expect, test } from "vitest";
import { barsOf } from "../../src/panels/bars";
import { runsWith } from "../compare/runs";

describe("barsOf", () => {
  const ids = (values: unknown[], order: Parameters<typeof barsOf>[2]) =>
    barsOf(runsWith("f", values), "f", order).map(({ run }) => run.id);

  test("are in the order of the runs, or of their values", () => {
    expect(ids([2, 3, 1], "runs")).toEqual([1, 2, 3]);
    expect(ids([2, 3, 1], "ascending")).toEqual([3, 1, 2]);
    expect(ids([2, 3, 1], "descending")).toEqual([2, 1, 3]);
    const large = [9007199254740993n, 9007199254740992n];
    expect(ids(large, "ascending")).toEqual([2, 1]);
  });

  test("leave out what is not a number", () => {
    expect(ids([2, null, "NaN", "x", undefined, 1], "runs")).toEqual([1, 6]);
  });

  test("begin at zero", () => {
    const spans = (values: number[]) =>
      barsOf(runsWith("f", values), "f", "runs").map(({ start, end }) => [start, end]);
    expect(spans([5, 10])).toEqual([
      [0, 0.5],
      [0, 1],
    ]);
    expect(spans([-5, 15])).toEqual([
      [0, 0.25],
      [0.25, 1],
    ]);
    expect(spans([-4, -2])).toEqual([
      [0, 1],
      [0.5, 1],
    ]);
    expect(spans([0, 0])).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });
});
