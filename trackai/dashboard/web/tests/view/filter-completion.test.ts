import { expect, test } from "vitest";
import { matching, placeAt, quoteValue } from "../../src/view/filter-completion";

/** The place at the bar in a text. */
const at = (text: string) => {
  const caret = text.indexOf("|");
  const { kind, field, typed, start, end } = placeAt(text.replace("|", ""), caret);
  return [kind, field, typed, text.replace("|", "").slice(start, end)];
};

test.each([
  ["|", ["field", "", "", ""]],
  ["co|", ["field", "", "co", "co"]],
  ["co|nfig.lr < 1", ["field", "", "co", "config.lr"]],
  ["lr |", ["operator", "lr", "", ""]],
  ["lr <|", ["value", "lr", "", ""]],
  ["state = r|un", ["value", "state", "r", "run"]],
  ["state = run |", ["joint", "state", "", ""]],
  ["state = run a|", ["joint", "state", "a", "a"]],
  ["state = run and (not t|", ["field", "state", "t", "t"]],
  ["not |", ["field", "", "", ""]],
  ["(tag = x) |", ["joint", "tag", "", ""]],
  ['config."my k|ey".x = 1', ["field", "", 'config."my k', 'config."my key".x']],
  ['tag = "an open |', ["value", "tag", '"an open ', '"an open ']],
  ['name = "lr < 1 and" an|', ["joint", "name", "an", "an"]],
  ["a !=~ |", ["value", "a", "", ""]],
])("the place in %s", (text, place) => {
  expect(at(text)).toEqual(place);
});

test("names that begin with what is typed come first, then parts of names", () => {
  const options = ["xlr", "config.opt/lr", "config.lr_decay", "lr", "other"].map((text) => ({
    text,
  }));
  expect(matching(options, "LR").map(({ text }) => text)).toEqual([
    "lr",
    "config.opt/lr",
    "config.lr_decay",
    "xlr",
  ]);
  expect(matching(options, "")).toEqual(options);
});

test.each([
  ["plain-1", "plain-1"],
  ["two words", '"two words"'],
  ['a"b\\', '"a\\"b\\\\"'],
  ["true", '"true"'],
  ["a=b", '"a=b"'],
  ["", '""'],
])("the value %s", (text, quoted) => {
  expect(quoteValue(text)).toBe(quoted);
});
