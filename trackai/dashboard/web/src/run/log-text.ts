// A logged line as a terminal would show it.

// Escape sequences for colours and cursor movements.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they begin with one
const ESCAPES = /\u001b\[[0-9;?]*[A-Za-z]/g;

/** Without colours and without text that a carriage return overwrites. */
export function terminalText(text: string): string {
  const lines = text
    .replace(ESCAPES, "")
    .replace(/[\r\n]+$/, "")
    .split("\n");
  return lines.map((line) => line.slice(line.lastIndexOf("\r") + 1)).join(" ⏎ ");
}

/** The text before, in and after the first match; undefined if there is none. */
export function splitAtMatch(text: string, search: string): [string, string, string] | undefined {
  const start = search ? text.toLowerCase().indexOf(search.toLowerCase()) : -1;
  if (start < 0) return undefined;
  const end = start + search.length;
  return [text.slice(0, start), text.slice(start, end), text.slice(end)];
}
