import { describe, expect, test } from "vitest";
import {
  parseId,
  parseIds,
  parseLimit,
  parseLimits,
  parseList,
  parseRange,
  parseSmoothing,
  parseXAxis,
  printAddress,
  printLimits,
  printList,
  printRange,
} from "../../src/view/parsing";
import { randomRanges } from "../random";

describe("printAddress", () => {
  test("sets and removes parameters and keeps the others", () => {
    expect(printAddress("?project=1&sort=name", { sort: undefined, runs: "1,2" })).toBe(
      "/?project=1&runs=1%2C2",
    );
    expect(printAddress("?project=1", { project: "" })).toBe("/");
    expect(printAddress("", { run: 3 })).toBe("/?run=3");
  });

  test("any text comes back", () => {
    for (const text of ['name ~ "a&b=c"', "ü\n#?", "100 % +1"]) {
      const address = printAddress("?x=1", { filter: text });
      expect(new URL(address, "http://host").searchParams.get("filter")).toBe(text);
    }
  });
});

test.each([
  ["7", 7],
  ["0", undefined],
  ["-1", undefined],
  ["1.5", undefined],
  ["x", undefined],
  ["", undefined],
  [null, undefined],
])("parseId(%j) is %j", (text, id) => {
  expect(parseId(text)).toBe(id);
});

test("parseIds tells no selection from an empty one", () => {
  expect(parseIds(null)).toBeUndefined();
  expect(parseIds("0")).toEqual([]);
  expect(parseIds("")).toEqual([]);
  expect(parseIds("3,x,1,-2,3")).toEqual([3, 1, 3]);
});

test("lists come back", () => {
  const items = ["config.a, b", 'state = "x"'];
  expect(parseList(printList(items))).toEqual(items);
  expect(parseList(null)).toEqual([]);
  expect(parseList("\n\na\n")).toEqual(["a"]);
});

test.each([
  ["time", "time"],
  ["relative", "relative"],
  ["step", "step"],
  ["other", "step"],
  [null, "step"],
])("parseXAxis(%j) is %s", (text, axis) => {
  expect(parseXAxis(text)).toBe(axis);
});

test.each([
  ["0.5", 0.5],
  ["2", 0.99],
  ["-1", 0],
  ["x", 0],
  [null, 0],
])("parseSmoothing(%j) is %d", (text, smoothing) => {
  expect(parseSmoothing(text)).toBe(smoothing);
});

describe("ranges", () => {
  test("come back in nine digits", () => {
    for (const [min, max] of randomRanges(300)) {
      const range = parseRange(printRange("step", { min, max }));
      if (!range) {
        // Only ends that are equal in nine digits are lost.
        expect(max - min).toBeLessThanOrEqual(Math.max(Math.abs(min), Math.abs(max)) * 1e-8);
        continue;
      }
      expect(range.axis).toBe("step");
      expect(range.min).toBeCloseTo(min, -Math.log10(Math.abs(min) || 1) + 7);
      expect(Math.abs(range.max - max)).toBeLessThanOrEqual(Math.abs(max) * 1e-8);
    }
  });

  test.each(["", "step", "step:1", "step:2:1", "step:1:1", ":1:2", "step:x:2", "step::2"])(
    "%j is none",
    (text) => {
      expect(parseRange(text)).toBeUndefined();
    },
  );

  test("may contain zero and negative ends", () => {
    expect(parseRange("relative:-1:0")).toEqual({ axis: "relative", min: -1, max: 0 });
  });
});

test("limits come back", () => {
  const limits = new Map([
    ["train/loss", { min: 0, max: 1.5 }],
    ["a:b", { min: -1e-9, max: undefined }],
    ["c", { min: undefined, max: 2 }],
  ]);
  expect(parseLimits(printLimits(limits))).toEqual(limits);
});

test.each(["", "0:1", "1:0:loss", "::loss", "x:y:loss", "1:1:loss", "0:1:"])(
  "parseLimits(%j) is empty",
  (text) => {
    expect(parseLimits(text).size).toBe(0);
  },
);

test.each([
  ["1.5", 1.5],
  [" -2e3 ", -2000],
  ["", undefined],
  [" ", undefined],
  ["x", undefined],
  ["Infinity", undefined],
])("parseLimit(%j) is %j", (text, value) => {
  expect(parseLimit(text)).toBe(value);
});
