// The text above the table: a filter, or part of a name.

const QUOTED = /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/gs;
const OPERATOR = /[=<>~]|^(config|metric)\./;

/** The filter to send: text without an operator is searched for in names and run ids. */
export function toFilter(text: string): string {
  const trimmed = text.trim();
  if (!trimmed || OPERATOR.test(trimmed.replace(QUOTED, ""))) return trimmed;
  // Quotes allow a name that contains an operator.
  const name = trimmed.replace(/^(["'])(.+)\1$/s, "$2").replace(/[\\"]/g, "\\$&");
  return `(name ~ "${name}" or run_id ~ "${name}")`;
}
