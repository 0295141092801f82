// The fields that a comparison shows until the user selects others.

import type { ComparedRun } from "./compared-runs";
import { isInformative, numbersOf } from "./fields";

// More axes than these cannot be read.
const MAX_AXES = 7;

// The most likely objective first.
const TARGETS = [
  [/val.*loss/i, "min"],
  [/(eval|test).*loss/i, "min"],
  [/loss/i, "min"],
  [/acc|score|reward/i, "max"],
] as const;
const LEARNING_RATE = /(^|[./_])(lr|learning_?rate)$/i;
const SEED = /seed$/i;

/** The metric that colours the runs: a validation loss, a loss, a score, or the first metric. */
export function defaultTarget(metrics: string[]): string {
  for (const [pattern, figure] of TARGETS) {
    const metric = metrics.find((field) => pattern.test(field));
    if (metric) return `${metric}.${figure}`;
  }
  return metrics[0] ? `${metrics[0]}.last` : "duration";
}

/** The x axis of the scatter plot: the learning rate, or the key with the most numbers. */
export function defaultScatterX(runs: ComparedRun[], config: string[]): string {
  const distinctNumbers = (field: string) => new Set(numbersOf(runs, field)).size;
  const varied = config.filter((field) => distinctNumbers(field) > 1);
  const learningRate = varied.find((field) => LEARNING_RATE.test(field));
  const byNumbers = varied
    .filter((field) => !SEED.test(field))
    .sort((left, right) => distinctNumbers(right) - distinctNumbers(left));
  return learningRate ?? byNumbers[0] ?? varied[0] ?? "duration";
}

/** The axes of the parallel coordinates; seeds, which should make no difference, come last. */
export function defaultAxes(runs: ComparedRun[], config: string[]): string[] {
  const fields = config.filter((field) => isInformative(runs, field));
  const seeds = fields.filter((field) => SEED.test(field));
  return [...fields.filter((field) => !SEED.test(field)), ...seeds].slice(0, MAX_AXES);
}
