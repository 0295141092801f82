// What can be typed next in a filter: fields, operators, values, and words that join comparisons.

export interface Place {
  kind: "field" | "operator" | "value" | "joint";
  /** The field that a value is compared with. */
  field: string;
  /** What is typed so far, and where in the text it begins and ends. */
  typed: string;
  start: number;
  end: number;
}

// Quoted parts may still be open, and belong to the word that they touch: config."my key".min
const TOKEN =
  /(?:"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|[^\s"'()<>=!~,])+|!=~|=~|<=|>=|!=|!~|==|[=<>~!()]/gs;

export const OPERATORS = ["=", "!=", "<", "<=", ">", ">=", "~", "!~", "=~", "!=~"];

/** What is at a position of a filter. */
export function placeAt(text: string, caret: number): Place {
  let kind: Place["kind"] = "field";
  let field = "";
  const place = (typed: string, start: number, end: number): Place => ({
    kind,
    field,
    typed,
    start,
    end,
  });
  for (const match of text.matchAll(TOKEN)) {
    const [token] = match;
    const start = match.index;
    const end = start + token.length;
    if (start >= caret) break;
    const isOperator = OPERATORS.includes(token) || token === "==" || token === "!";
    // An operator is complete where a value may follow.
    if (end >= caret && !"()".includes(token) && (kind === "operator") === isOperator) {
      if (!isOperator) return place(text.slice(start, caret), start, end);
    }
    if (token === "(") kind = "field";
    else if (token === ")") kind = "joint";
    else if (isOperator) kind = "value";
    else if (kind === "field" && token.toLowerCase() !== "not") {
      field = token;
      kind = "operator";
    } else if (kind === "value") kind = "joint";
    else if (kind === "joint") kind = "field";
  }
  return place("", caret, caret);
}

/** Quote a text if a filter would read it as something else. */
export const quoteValue = (text: string): string =>
  /^[^\s"'()<>=!~,]+$/.test(text) && !/^(true|false|null|none|nan|[+-]?inf(inity)?)$/i.test(text)
    ? text
    : `"${text.replace(/[\\"]/g, "\\$&")}"`;

/** The options that contain what is typed; those that begin with it come first. */
export function matching<T extends { text: string }>(options: T[], typed: string): T[] {
  const searched = typed.replace(/^["']/, "").toLowerCase();
  if (!searched) return options;
  const rank = ({ text }: T): number => {
    const at = text.toLowerCase().indexOf(searched);
    if (at < 0) return -1;
    // After a prefix such as config. or a slash, a name begins as well.
    return at === 0 ? 0 : /[./"]/.test(text[at - 1] ?? "") ? 1 : 2;
  };
  return options
    .map((option) => ({ option, rank: rank(option) }))
    .filter((ranked) => ranked.rank >= 0)
    .sort((left, right) => left.rank - right.rank)
    .map(({ option }) => option);
}
