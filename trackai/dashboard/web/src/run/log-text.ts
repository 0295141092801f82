// A logged line as a terminal would show it, with its colours.

import { readAnsi, type Style } from "./ansi";

export interface Segment {
  text: string;
  /** Class names, from a fixed list. */
  style: string;
  /** Whether it is what was searched for. */
  isMatch?: boolean;
}

// Escape sequences: of colours and cursor movements, and of titles and links.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they begin with one
const ESCAPE = /\u001b\[([0-9;:?]*)[ -/]*([@-~])|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: see above
const TRAILING = /(?:\u001b\[[0-9;:?]*[ -/]*[@-~]|[\r\n])+$/;
const LINE_BREAK = " ⏎ ";

/** The parts of a line by style, without text that a carriage return overwrites. */
export function terminalSegments(text: string): Segment[] {
  const lines: Segment[][] = [[]];
  let style: Style = {};
  const add = (part: string) => {
    for (const [index, piece] of part.split("\n").entries()) {
      if (index > 0) lines.push([]);
      const start = piece.lastIndexOf("\r") + 1;
      if (start > 0) lines[lines.length - 1] = [];
      const shown = piece.slice(start);
      if (shown) lines.at(-1)?.push({ text: shown, style: classesOf(style) });
    }
  };
  const line = text.replace(TRAILING, "");
  let end = 0;
  for (const match of line.matchAll(ESCAPE)) {
    add(line.slice(end, match.index));
    end = match.index + match[0].length;
    if (match[2] === "m") style = readAnsi(match[1] ?? "", style);
  }
  add(line.slice(end));
  return lines.flatMap((segments, index) =>
    index > 0 ? [{ text: LINE_BREAK, style: "" }, ...segments] : segments,
  );
}

/** A line without its colours. */
export const terminalText = (text: string): string =>
  terminalSegments(text)
    .map((segment) => segment.text)
    .join("");

/** A line as it is copied: with the line breaks within it. */
export const copiedText = (shown: string): string => shown.replaceAll(LINE_BREAK, "\n");

function classesOf({ color, isBold, isItalic, isUnderlined }: Style): string {
  return [
    color !== undefined && `ansi-${color}`,
    isBold && "ansi-bold",
    isItalic && "ansi-italic",
    isUnderlined && "ansi-underlined",
  ]
    .filter(Boolean)
    .join(" ");
}

/** The segments with the first match of a search in segments of its own. */
export function markMatch(segments: Segment[], search: string): Segment[] {
  const parts = splitAtMatch(segments.map(({ text }) => text).join(""), search);
  if (!parts) return segments;
  const [start, end] = [parts[0].length, parts[0].length + parts[1].length];
  let at = 0;
  return segments.flatMap(({ text, style }) => {
    const [from, to] = [start - at, end - at].map((cut) => Math.min(Math.max(cut, 0), text.length));
    at += text.length;
    return [
      { text: text.slice(0, from), style },
      { text: text.slice(from, to), style, isMatch: true },
      { text: text.slice(to), style },
    ].filter((segment) => segment.text !== "");
  });
}

/** The text before, in and after the first match; undefined if there is none. */
export function splitAtMatch(text: string, search: string): [string, string, string] | undefined {
  const start = search ? text.toLowerCase().indexOf(search.toLowerCase()) : -1;
  if (start < 0) return undefined;
  const end = start + search.length;
  return [text.slice(0, start), text.slice(start, end), text.slice(end)];
}
