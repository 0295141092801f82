// What a run lacks at a step.

import type { AnyNumber, FilesOfRun } from "../api/types";
import { formatValue } from "../ui/format";

export const placeOf = (step: AnyNumber | null): string =>
  step === null ? "without a step" : `step ${formatValue(step)}`;

/** Why a run shows no files or those of another step; undefined if it has files at the step. */
export function missingNote(
  step: AnyNumber | undefined,
  files: FilesOfRun | undefined,
): string | undefined {
  if (!files) return "No files of this name.";
  const [first] = files.files;
  if (!first) {
    return `Nothing until ${placeOf(step ?? null)}: the first is at ${placeOf(files.first_step)}.`;
  }
  if (step === undefined || first.step === step) return undefined;
  const place = first.step === null ? "a file without a step" : placeOf(first.step);
  return `Nothing at ${placeOf(step)}: shown is ${place}.`;
}
