import { describe, expect, test } from "vitest";
import { copiedText, markMatch, terminalSegments, terminalText } from "../../src/run/log-text";

const styles = (text: string) => terminalSegments(text).map(({ text, style }) => [text, style]);

describe("terminalSegments", () => {
  test.each([
    ["plain", [["plain", ""]]],
    [
      "\u001b[31mred\u001b[0m rest",
      [
        ["red", "ansi-1"],
        [" rest", ""],
      ],
    ],
    [
      "\u001b[1;92mok\u001b[22mok\u001b[39m.",
      [
        ["ok", "ansi-2 ansi-bold"],
        ["ok", "ansi-2"],
        [".", ""],
      ],
    ],
    ["\u001b[3;4mboth\u001b[m", [["both", "ansi-italic ansi-underlined"]]],
    // Of 256 colours, and of all: the most similar one; greys are that of the text.
    ["\u001b[38;5;196mred", [["red", "ansi-1"]]],
    ["\u001b[38;5;250mgrey", [["grey", ""]]],
    [
      "\u001b[38;2;20;30;240mblue\u001b[48;5;9mblue",
      [
        ["blue", "ansi-4"],
        ["blue", "ansi-4"],
      ],
    ],
    [
      "\u001b[30mblack \u001b[97mwhite",
      [
        ["black ", ""],
        ["white", ""],
      ],
    ],
    // What moves the cursor, sets a title or links is left out.
    [
      "\u001b[2K\u001b[1Ga\u001b]0;title\u0007b\u001b]8;;http://x\u001b\\c",
      [
        ["a", ""],
        ["b", ""],
        ["c", ""],
      ],
    ],
    ["10 %\r\u001b[32m100 %\u001b[0m\r\n", [["100 %", "ansi-2"]]],
    [
      "\u001b[31ma\nb",
      [
        ["a", "ansi-1"],
        [" ⏎ ", ""],
        ["b", "ansi-1"],
      ],
    ],
    ["", []],
  ])("%j", (text, segments) => {
    expect(styles(text)).toEqual(segments);
  });

  test("class names are from a list, whatever the parameters", () => {
    const text = `${'\u001b[38;2;"><script>;1m'}x\u001b[999;-1;38m\u001b[38;5my`;
    for (const { style } of terminalSegments(text)) expect(style).toMatch(/^(ansi-\w+ ?)*$/);
  });
});

test("markMatch cuts segments at a match", () => {
  const segments = terminalSegments("lo\u001b[31mss is\u001b[0m high");
  expect(markMatch(segments, "OSS i")).toEqual([
    { text: "l", style: "" },
    { text: "o", style: "", isMatch: true },
    { text: "ss i", style: "ansi-1", isMatch: true },
    { text: "s", style: "ansi-1" },
    { text: " high", style: "" },
  ]);
  expect(markMatch(segments, "absent")).toBe(segments);
  expect(markMatch(segments, "")).toBe(segments);
});

test("copies have the line breaks of the log", () => {
  expect(copiedText(terminalText("a\nb\r\n"))).toBe("a\nb");
});
