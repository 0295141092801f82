import { afterEach, describe, expect, test, vi } from "vitest";
import {
  formatBytes,
  formatDateTime,
  formatDuration,
  formatNumber,
  formatValue,
  plural,
  readable,
  timeAgo,
} from "../../src/ui/format";
import { randomRanges } from "../random";

describe("plural", () => {
  test.each([
    [0, "0 runs"],
    [1, "1 run"],
    [2, "2 runs"],
    [10_000, "10,000 runs"],
  ])("%d", (count, text) => {
    expect(plural(count, "run")).toBe(text);
  });

  test("with an irregular plural", () => {
    expect(plural(1, "match", "matches")).toBe("1 match");
    expect(plural(3, "match", "matches")).toBe("3 matches");
  });
});

describe("formatNumber", () => {
  test.each([
    [0, "0"],
    [20000, "20000"],
    [-3, "-3"],
    [0.5, "0.5"],
    [0.1 + 0.2, "0.3"],
    [20000.25, "20000"],
    [300000.25, "300000"],
    [1234567.5, "1.235e+6"],
    [0.000123456, "1.235e-4"],
    [1e12, "1.000e+12"],
  ])("%d", (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  test("is within half of a unit of the last digit", () => {
    for (const [value] of randomRanges(500)) {
      expect(Math.abs(Number(formatNumber(value)) - value)).toBeLessThanOrEqual(
        Math.abs(value) * 5e-4,
      );
      expect(Math.abs(Number(formatNumber(value, 12)) - value)).toBeLessThanOrEqual(
        Math.abs(value) * 5e-10,
      );
    }
  });
});

test.each([
  [null, "–"],
  [undefined, "–"],
  [true, "true"],
  ["NaN", "NaN"],
  [0.25, "0.25"],
  [4_294_967_295, "4294967295"],
  [2 ** 70, "1.181e+21"],
  [2n ** 63n - 1n, "9223372036854775807"],
  [{ seed: 2n ** 60n }, '{"seed":1152921504606846976}'],
  [{ a: [1] }, '{"a":[1]}'],
])("formatValue(%o)", (value, text) => {
  expect(formatValue(value)).toBe(text);
});

test.each([
  [-5, "0 s"],
  [0.4, "0 s"],
  [59.6, "1 min 0 s"],
  [61, "1 min 1 s"],
  [3600, "1 h 0 min"],
  [90_000, "1 d 1 h"],
])("formatDuration(%d)", (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.00 kB"],
  [123_456, "123 kB"],
  [2.5e6, "2.50 MB"],
  [7e9, "7.00 GB"],
])("formatBytes(%d)", (size, text) => {
  expect(formatBytes(size)).toBe(text);
});

test("formatDateTime is ISO 8601 in the local zone", () => {
  const seconds = new Date(2024, 1, 3, 4, 5, 6).getTime() / 1000;
  expect(formatDateTime(seconds)).toBe("2024-02-03 04:05:06");
});

describe("timeAgo", () => {
  afterEach(() => vi.useRealTimers());

  test.each([
    [-3, "0 s ago"],
    [119, "119 s ago"],
    [120, "2 min ago"],
    [7200, "2 h ago"],
    [86400 * 3, "3 d ago"],
  ])("%d seconds", (seconds, text) => {
    vi.useFakeTimers({ now: Date.parse("2024-01-10T00:00:00Z") });
    const then = new Date(Date.now() - seconds * 1000).toISOString();
    expect(timeAgo(then)).toBe(text);
  });
});

test.each([
  [0.1 + 0.2, "0.3"],
  [0.0001, "0.0001"],
  [0.123456789, "0.12346"],
  [-1234567.891, "-1.235e+6"],
  [123456789012, "123456789012"],
  [2n ** 62n, "4611686018427387904"],
  ["0.123456789", "0.123456789"],
  [null, "null"],
  [[0.123456789, { a: 1 / 3 }, "x", null], '[0.12346,{"a":0.33333},"x",null]'],
  [true, "true"],
])("readable(%s) is %s", (value, text) => {
  expect(readable(value)).toBe(text);
});
