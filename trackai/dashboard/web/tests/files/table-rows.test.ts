import { describe, expect, test } from "vitest";
import {
  fileReferences,
  nextSort,
  rowText,
  searchRows,
  sortRows,
} from "../../src/files/table-rows";

const column = (values: unknown[]): unknown[][] => values.map((value) => [value]);
const sorted = (values: unknown[], descending = false): unknown[] =>
  sortRows(column(values), { column: 0, descending }).map(([value]) => value);

describe("sortRows", () => {
  test("numbers by size, also those beyond what a number can hold", () => {
    const large = 2n ** 62n;
    expect(sorted([10, 9, -1.5, large])).toEqual([-1.5, 9, 10, large]);
    expect(sorted([10, 9, large], true)).toEqual([large, 10, 9]);
    expect(sorted([large + 1n, large])).toEqual([large, large + 1n]);
  });

  test("texts by the numbers in them, after numbers", () => {
    expect(sorted(["run10", "run9", 3, "a"])).toEqual([3, "a", "run9", "run10"]);
    expect(sorted([true, "x", false])).toEqual([false, true, "x"]);
  });

  test("missing values last in either direction", () => {
    expect(sorted([null, 2, undefined, 1])).toEqual([1, 2, null, undefined]);
    expect(sorted([null, 2, 1], true)).toEqual([2, 1, null]);
  });

  test("rows with equal values keep their order", () => {
    const rows = [
      [1, "a"],
      [0, "b"],
      [1, "c"],
    ];
    expect(sortRows(rows, { column: 0, descending: true }).map(([, name]) => name)).toEqual([
      "a",
      "c",
      "b",
    ]);
  });

  test("100 000 rows in a moment", () => {
    const rows = Array.from({ length: 100_000 }, (_, index) => [
      `name ${(index * 7919) % 100_003}`,
    ]);
    const started = performance.now();
    const [first] = sortRows(rows, { column: 0, descending: false });
    expect(first).toEqual(["name 0"]);
    expect(performance.now() - started).toBeLessThan(20_000);
  }, 30_000);
});

test("nextSort goes up, down and back to the order of the log", () => {
  const up = nextSort(undefined, 2);
  expect(up).toEqual({ column: 2, descending: false });
  const down = nextSort(up, 2);
  expect(down).toEqual({ column: 2, descending: true });
  expect(nextSort(down, 2)).toBeUndefined();
  expect(nextSort(down, 0)).toEqual({ column: 0, descending: false });
});

test("searchRows looks at all cells and ignores case", () => {
  const rows = [
    ["Cat", 1.5],
    ["dog", null],
    [{ label: "CAT" }, 2],
  ];
  const texts = rows.map(rowText);
  expect(searchRows(rows, texts, "cAt")).toEqual([rows[0], rows[2]]);
  expect(searchRows(rows, texts, "1.5")).toEqual([rows[0]]);
  expect(searchRows(rows, texts, "bird")).toEqual([]);
});

test.each([
  [{ file: "t/image", name: "0.png" }, 1],
  [
    [
      { file: "t/image", name: "0.png" },
      { file: "t/image", name: "1.png" },
    ],
    2,
  ],
  [{ file: "t/image" }, 0],
  [{ file: 1, name: "x" }, 0],
  [[], 0],
  [[{ file: "t/image", name: "0.png" }, 1], 0],
  [null, 0],
  ["0.png", 0],
])("fileReferences(%j) are %i", (cell, count) => {
  expect(fileReferences(cell, "t")).toHaveLength(count);
});

test("files in tables of trackio are beside the table", () => {
  const cell = { _type: "trackio.image", file_path: "p/run/0/abc.png", caption: null };
  expect(fileReferences(cell, "samples")).toEqual([{ file: "samples", name: "abc.png" }]);
  expect(fileReferences({ file_path: "abc.png" }, "samples")).toEqual([]);
});
