// The text above the table: a filter, or part of a name.

const QUOTED = /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/gs;
const SHELVES: Record<string, string> = {
  archived: "(archived = true or archived = false)",
  trash: "trashed = true",
};
const OPERATOR = /[=<>~]|^(config|metric)\./;

/** The filter to send: text without an operator is searched for in names and run ids. */
export function toFilter(text: string): string {
  const trimmed = text.trim();
  if (!trimmed || OPERATOR.test(trimmed.replace(QUOTED, ""))) return trimmed;
  // Quotes allow a name that contains an operator.
  const name = trimmed.replace(/^(["'])(.+)\1$/s, "$2").replace(/[\\"]/g, "\\$&");
  return `(name ~ "${name}" or run_id ~ "${name}")`;
}

/** A message about a filter as it was sent, with the position in the text as it was typed. */
export function aboutTyped(message: string, text: string, shelf: string): string {
  const shift = text.length - text.trimStart().length - (SHELVES[shelf] ? 1 : 0);
  return message.replace(/(?<=^filter: at position )\d+/, (position) =>
    String(Number(position) + shift),
  );
}

/** The filter with archived runs, or of those in the trash; others leave both out. */
export function onShelf(filter: string, shelf: string): string {
  const kept = SHELVES[shelf];
  if (!kept) return filter;
  return filter ? `(${filter}) and ${kept}` : kept;
}
