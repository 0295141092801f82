// Axes of the compare page: numbers on a line or a logarithm, words at even distances.

import { type Compared, numeric, same, wide } from "./comparison";
import { labels, padded, scale } from "./scale";

export interface Axis {
  field: string;
  words: boolean;
  log: boolean;
  /** From 0 to 1; undefined for a run that does not have it, or not as a number. */
  at: (run: Compared) => number | undefined;
  /** The value at a place from 0 to 1; for words the number of the word. */
  back: (share: number) => number;
  marks: { share: number; label: string }[];
  /** Whether a run lacks it. */
  lacking: boolean;
}

/** `log` undefined: where it shows more. Without `room`, the ends are the least and the greatest value. */
export function axis(
  runs: Compared[],
  field: string,
  count: number,
  log: boolean | undefined,
  room: boolean,
): Axis {
  const values = runs.map((one) => one.values[field]);
  const numbers = values.flatMap((one) => numeric(one) ?? []);
  const words = values.some(
    (one) =>
      one !== null &&
      one !== undefined &&
      typeof one !== "number" &&
      !/^-?(NaN|Infinity)$/.test(String(one)),
  );
  if (words || numbers.length === 0) return ofWords(runs, field);
  const usesLog = (log ?? wide(numbers)) && Math.max(...numbers) > 0;
  const fit = usesLog ? numbers.filter((one) => one > 0) : numbers;
  let [low, high] = [Math.min(...fit), Math.max(...fit)];
  const one = low === high ? low : undefined;
  if (room || low === high) [low, high] = padded(low, high, usesLog);
  const scaled = scale(low, high, usesLog, count);
  const at = (run: Compared) => {
    const value = numeric(run.values[field]);
    return value === undefined || (usesLog && value <= 0) ? undefined : scaled.at(value);
  };
  // Where all values are whole, there is nothing at a half.
  const whole = numbers.every(Number.isInteger);
  const shown =
    one === undefined ? scaled.ticks.filter((tick) => !whole || Number.isInteger(tick)) : [one];
  const said = labels(shown);
  return {
    field,
    words: false,
    log: usesLog,
    at,
    back: scaled.back,
    marks: shown.map((value, place) => ({ share: scaled.at(value), label: said[place] as string })),
    lacking: runs.some((run) => at(run) === undefined),
  };
}

function ofWords(runs: Compared[], field: string): Axis {
  const has = (run: Compared) => run.values[field] !== null && run.values[field] !== undefined;
  const all = [...new Set(runs.filter(has).map((run) => same(run.values[field])))].sort();
  const share = (at: number) => (all.length === 1 ? 0.5 : at / (all.length - 1));
  const places = new Map(all.map((one, at) => [one, share(at)]));
  const every = Math.ceil(all.length / 12);
  return {
    field,
    words: true,
    log: false,
    at: (run) => (has(run) ? places.get(same(run.values[field])) : undefined),
    back: (part) => part,
    marks: all.flatMap((one, at) =>
      at % every === 0 ? [{ share: share(at), label: one.replace(/^"(.*)"$/, "$1") }] : [],
    ),
    lacking: !runs.every(has),
  };
}
