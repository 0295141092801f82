import { expect, test } from "vitest";
import { aboutTyped, onShelf, toFilter } from "../../src/view/filter-text";

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

test.each([
  ["", "", ""],
  ["lr < 1", "", "lr < 1"],
  ["", "trash", "trashed = true"],
  ["a = 1 or b = 2", "trash", "(a = 1 or b = 2) and trashed = true"],
  ["lr < 1", "archived", "(lr < 1) and (archived = true or archived = false)"],
  ["lr < 1", "other", "lr < 1"],
])("the filter %s on the shelf %s", (filter, shelf, expected) => {
  expect(onShelf(filter, shelf)).toBe(expected);
});

test.each([
  ["los = 1", "", 1],
  ["  los = 1", "", 1],
  ["los = 1", "archived", 2],
  [" los = 1", "trash", 2],
])("a problem with %j in %j is at its place in what was typed", (text, shelf, position) => {
  const message = `filter: at position ${position} ('los'): unknown field`;
  const typed = /position (\d+)/.exec(aboutTyped(message, text, shelf))?.[1];
  expect(text.slice(Number(typed) - 1)).toBe("los = 1");
});
