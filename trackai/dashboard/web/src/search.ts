// What somebody types above the table: a filter, or a part of a name.

const QUOTED = /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/gs;

/** The filter that a text stands for: without any operator, it is looked for in what runs are called. */
export function asFilter(text: string): string {
  const said = text.trim();
  if (!said || /[=<>~]|^(config|metric)\./.test(said.replace(QUOTED, ""))) return said;
  // In quotes is what has an operator in its name.
  const word = said.replace(/^(["'])(.+)\1$/s, "$2").replace(/[\\"]/g, "\\$&");
  return `(name ~ "${word}" or run_id ~ "${word}")`;
}
