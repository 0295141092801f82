// What the words in the name of a metric say about it.

/** Whether higher or lower values are better; undefined if that is not known. */
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

/** The words of a name, the last one first. */
export const wordsOf = (name: string): string[] =>
  name
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .reverse();

/** What the name of a metric says; undefined if it says nothing. */
export function directionOf(name: string): Better {
  const words = wordsOf(name);
  // The last word says what it is: the error of a score is an error.
  const known = words.find((word) => isLower(word) || isHigher(word));
  if (!known || SETTING.test(words[0] as string)) return undefined;
  return isLower(known) ? "less" : "more";
}
