// Whether higher or lower values of a metric are better.

import type { AnyNumber } from "../api/types";
import { fieldTitle, withoutFigure } from "./fields";

export type Better = "more" | "less" | undefined;

const HIGHER_WORDS = new Set(
  "f1 auc auroc roc score reward return precision recall bleu rouge r2 map iou psnr ssim".split(
    " ",
  ),
);
const LOWER_WORDS = new Set(
  "nll err error errors mse mae rmse perplexity ppl wer cer fid".split(" "),
);
const isHigher = (word: string): boolean => /acc$|accuracy$/.test(word) || HIGHER_WORDS.has(word);
const isLower = (word: string): boolean => word.endsWith("loss") || LOWER_WORDS.has(word);
// The last word of a metric that is about a loss, but is none, such as "loss_scale".
const SETTING = /^(scale|weight|coef|count)$/;

/** What the name of a metric says; undefined if it says nothing. */
export function betterByName(field: string): Better {
  const words = fieldTitle(withoutFigure(field))
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    // The last word says what it is: the error of a score is an error.
    .reverse();
  const known = words.find((word) => isLower(word) || isHigher(word));
  if (!known || SETTING.test(words[0] as string)) return undefined;
  return isLower(known) ? "less" : "more";
}

// In the address: lines of "more NAME" or "less NAME", which take precedence over the name.
const nameIn = (line: string): string => line.slice(5);

export function betterOf(field: string, lines: string[]): Better {
  const metric = withoutFigure(field);
  const line = lines.find((candidate) => nameIn(candidate) === metric);
  return line ? (line.slice(0, 4) as Better) : betterByName(field);
}

/** The best of some numbers, which may be large integers; undefined if neither is better. */
export function bestOf(numbers: AnyNumber[], better: Better): AnyNumber | undefined {
  if (better === undefined) return undefined;
  return numbers.reduce((best, number) =>
    (better === "more" ? number > best : number < best) ? number : best,
  );
}

/** The lines after a click: more becomes less and less more, through undefined if unknown. */
export function toggleBetter(field: string, lines: string[]): string[] {
  const metric = withoutFigure(field);
  const byName = betterByName(field);
  const current = betterOf(field, lines);
  const isEndOfCycle = current === "less" && !byName;
  const next = current === "more" ? "less" : isEndOfCycle ? undefined : "more";
  const others = lines.filter((line) => nameIn(line) !== metric);
  return next && next !== byName ? [...others, `${next} ${metric}`] : others;
}
