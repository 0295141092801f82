import { describe, expect, test } from "vitest";
import { parseJson, toJson } from "../../src/ui/json";

const LARGEST = 2n ** 63n - 1n;

describe("parseJson", () => {
  test.each([
    ["9223372036854775807", LARGEST],
    ["-9223372036854775808", -(2n ** 63n)],
    ["9007199254740993", 9007199254740993n],
    ["9007199254740991", Number.MAX_SAFE_INTEGER],
    ["1000000000000000000000000000001", 10n ** 30n + 1n],
    ["0.12345678901234567", Number("0.12345678901234567")],
    ["1234567890123456789.5", Number("1234567890123456789.5")],
    ["1234567890123456789e5", Number("1234567890123456789e5")],
    ["9223372036854775807.0", 2 ** 63],
    ['"9223372036854775807"', "9223372036854775807"],
  ])("%s", (text, value) => {
    expect(parseJson(text)).toBe(value);
    expect(parseJson(`{"a":[1,${text}, {"b": ${text}}]}`)).toEqual({ a: [1, value, { b: value }] });
  });

  test("leaves digits in strings and keys alone", () => {
    const value = { 'say "9223372036854775807", \\': ["\\", "[9223372036854775807]", LARGEST] };
    expect(parseJson(toJson(value))).toEqual(value);
  });

  test("reads long texts", () => {
    const text = '\\"'.repeat(200_000);
    expect(parseJson(toJson([text, LARGEST]))).toEqual([text, LARGEST]);
  });

  test("refuses invalid JSON", () => {
    expect(() => parseJson("[9223372036854775807")).toThrow(SyntaxError);
  });
});

test("toJson writes integers of any size as numbers", () => {
  expect(toJson({ a: [LARGEST, "9223372036854775807", 1.5, null] })).toBe(
    '{"a":[9223372036854775807,"9223372036854775807",1.5,null]}',
  );
  expect(toJson([LARGEST], 2)).toBe("[\n  9223372036854775807\n]");
  expect(toJson(undefined)).toBeUndefined();
});
