// JSON with integers of any size: those that a number cannot hold are a bigint.

// Marks the digits of an integer in a string; unlike any text that was logged.
const MARK = `integer ${Math.random()} `;
// At least 16 digits, without a fraction, and not part of one.
const LARGE = /(?<![\d.])\d{16,}(?![\d.eE])/;
const STRING_OR_LARGE = /"(?:[^"\\]|\\.)*"|(?<![\d.])-?\d{16,}(?![\d.eE])/g;
const MARKED = new RegExp(`"${MARK}(-?\\d+)"`, "g");

const unmarked = (_: string, value: unknown): unknown =>
  typeof value === "string" && value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value;

const marked = (_: string, value: unknown): unknown =>
  typeof value === "bigint" ? MARK + value : value;

export function parseJson(text: string): unknown {
  if (!LARGE.test(text)) return JSON.parse(text);
  const withMarks = text.replace(STRING_OR_LARGE, (token) =>
    token.startsWith('"') || Number.isSafeInteger(Number(token)) ? token : `"${MARK}${token}"`,
  );
  return JSON.parse(withMarks, unmarked);
}

export const toJson = (value: unknown, indent?: number): string =>
  // JSON.stringify returns undefined for undefined.
  JSON.stringify(value, marked, indent)?.replace(MARKED, "$1");
