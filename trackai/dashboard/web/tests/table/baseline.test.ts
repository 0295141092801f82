import { expect, test } from "vitest";
import { difference } from "../../src/table/baseline";

test("difference is signed, and exact for integers", () => {
  expect(difference(0.5, 0.25)).toBe("+0.25");
  expect(difference(1, 3)).toBe("−2");
  expect(difference(2, 2)).toBe("±0");
  expect(difference(9007199254740993n, 9007199254740991)).toBe("+2");
  expect(difference(1e-5, 0)).toBe("+1.0e-5");
  expect(difference(1e300, 1)).toBe("+1.0e+300");
  expect(difference("a", 1)).toBe("");
  expect(difference(null, 1)).toBe("");
  expect(difference(1, undefined)).toBe("");
  expect(difference(true, 1)).toBe("");
});
