// The text above the table: a filter, or part of a name.

const QUOTED = /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/gs;
const SHELVES: Record<string, string> = {
  archived: "(archived = true or archived = false)",
  trash: "trashed = true",
};
// In a message of the server; the rest has at most so many characters.
const PLACE = /(?<=^filter: )at position (\d+) \((?:the end|(['"]).*\2)\)(?=: )/s;
const MAX_REST = 20;
const OPERATOR = /[=<>~]|^(config|metric)\./;

/** The filter to send: text without an operator is searched for in names and run ids. */
export function toFilter(text: string): string {
  const trimmed = text.trim();
  if (!trimmed || OPERATOR.test(trimmed.replace(QUOTED, ""))) return trimmed;
  // Quotes allow a name that contains an operator.
  const name = trimmed.replace(/^(["'])(.+)\1$/s, "$2").replace(/[\\"]/g, "\\$&");
  return `(name ~ "${name}" or run_id ~ "${name}")`;
}

/** Where a position of the server, which counts characters from 1, is in a text of UTF-16 units. */
export const indexOfPosition = (text: string, position: number): number =>
  [...text].slice(0, Math.max(0, position - 1)).join("").length;

/** A message about a filter as it was sent, with the position and the rest of the text as typed. */
export function aboutTyped(message: string, text: string, shelf: string): string {
  const sent = toFilter(text);
  const shift = text.length - text.trimStart().length - (onShelf(sent, shelf) === sent ? 0 : 1);
  const characters = [...text.trimEnd()];
  return message.replace(PLACE, (_, position) => {
    const at = Math.min(Number(position) + shift, characters.length + 1);
    const rest = characters.slice(at - 1, at - 1 + MAX_REST).join("");
    return `at position ${at} (${rest ? `'${rest}'` : "the end"})`;
  });
}

/**
 * The filter with archived runs, or of those in the trash; others leave both out.
 *
 * One that ends in the middle of parentheses is sent as it is, and refused.
 */
export function onShelf(filter: string, shelf: string): string {
  const kept = SHELVES[shelf];
  if (!kept || !isBalanced(filter)) return filter;
  return filter ? `(${filter}) and ${kept}` : kept;
}

function isBalanced(filter: string): boolean {
  let depth = 0;
  for (const character of filter.replace(QUOTED, "")) {
    if (character === "(") depth += 1;
    if (character === ")") depth -= 1;
    if (depth < 0) return false;
  }
  return depth === 0;
}
