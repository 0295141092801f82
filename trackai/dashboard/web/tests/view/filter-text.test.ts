import { expect, test } from "vitest";
import { toFilter } from "../../src/view/filter-text";

const search = (text: string) => `(name ~ "${text}" or run_id ~ "${text}")`;

test.each([
  ["", ""],
  ["  ", ""],
  ["abc", search("abc")],
  [" two words ", search("two words")],
  ['"a = b"', search("a = b")],
  ["'a < b'", search("a < b")],
  ['say "hi', search('say \\"hi')],
  ["back\\slash", search("back\\\\slash")],
  ["lr = 1", "lr = 1"],
  ['name ~ "x"', 'name ~ "x"'],
  ["config.", "config."],
  ["metric.loss", "metric.loss"],
  ["a < 1 and tag = b", "a < 1 and tag = b"],
])("toFilter(%j)", (text, filter) => {
  expect(toFilter(text)).toBe(filter);
});
