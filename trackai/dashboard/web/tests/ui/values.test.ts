import { expect, test } from "vitest";
import { compareNatural, extent, finiteNumber, plottedNumber, valueKey } from "../../src/ui/values";

test("compareNatural orders by the numbers in names", () => {
  expect(["key10", "key2", "a", "key1"].sort(compareNatural)).toEqual([
    "a",
    "key1",
    "key2",
    "key10",
  ]);
});

test("valueKey tells types apart", () => {
  expect(new Set([1, "1", true, null, "null"].map(valueKey)).size).toBe(5);
  expect(valueKey(undefined)).toBe(valueKey(null));
  expect(valueKey(1.0)).toBe(valueKey(1));
  expect(valueKey(2n ** 60n)).not.toBe(valueKey(2n ** 60n + 1n));
  expect(valueKey([2n ** 60n])).not.toBe(valueKey([String(2n ** 60n)]));
});

test("finiteNumber leaves out what is none", () => {
  expect([1, "1", NaN, Infinity, null, true].map(finiteNumber)).toEqual([
    1,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

test("plottedNumber draws booleans as 0 and 1", () => {
  expect([2.5, true, false, "NaN", null].map(plottedNumber)).toEqual([2.5, 1, 0, null, null]);
});

test("large integers are rounded to be placed", () => {
  expect(finiteNumber(2n ** 60n + 1n)).toBe(2 ** 60);
  expect(plottedNumber(-(2n ** 60n))).toBe(-(2 ** 60));
});

test("extent skips missing values", () => {
  expect(extent([3, null, -1, undefined, 2])).toEqual([-1, 3]);
  expect(extent([null, undefined])).toBeUndefined();
  expect(extent([])).toBeUndefined();
});
