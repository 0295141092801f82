import { expect, test } from "vitest";
import { aboutTyped, indexOfPosition, onShelf, toFilter } from "../../src/view/filter-text";

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

test.each([
  ["lr << 3", 5, "'< 3) and trashed = t'", "5 ('< 3')"],
  [" lr <", 5, "') and trashed = true'", "6 (the end)"],
  ["lr < 'a) ' and", 15, "') and trashed = true'", "15 (the end)"],
  ["lr < 1)", 7, "')'", "7 (')')"],
  ["(lr < 1", 8, "the end", "8 (the end)"],
])("a problem with %j in the trash names only what was typed", (text, position, rest, place) => {
  // Parentheses that do not match are not put into others.
  const sent = position + (onShelf(text.trim(), "trash").startsWith(`(${text.trim()}`) ? 1 : 0);
  const message = `filter: at position ${sent} (${rest}): expected a value`;
  const expected = `filter: at position ${place}: expected a value`;
  expect(aboutTyped(message, text, "trash")).toBe(expected);
});

test.each(["lr < 1) or (lr > 2", "(lr < 1", "lr < 1)"])(
  "the filter %s cannot leave its shelf",
  (filter) => {
    expect(onShelf(filter, "trash")).toBe(filter);
  },
);

test.each([
  ["tag = 🦙 and los = 1", 13, "los = 1"],
  ["  tag = '🦙🦙' and los = 1", 16, "los = 1"],
  ["los = 1", 1, "los = 1"],
  ["tag = 🦙 <", 9, "<"],
])("the server counts the characters of %j", (text, position, rest) => {
  const typed = aboutTyped(`filter: at position ${position} ('x'): unknown field`, text, "");
  expect(typed).toContain(`('${rest}')`);
  const shown = Number(/position (\d+)/.exec(typed)?.[1]);
  expect(text.slice(indexOfPosition(text, shown))).toBe(rest);
});

test("a long rest of a filter is cut between characters", () => {
  const typed = aboutTyped("filter: at position 1 ('x'): unknown field", "🦙".repeat(30), "");
  expect(typed).toBe(`filter: at position 1 ('${"🦙".repeat(20)}'): unknown field`);
});
