// Files of one path by their steps.

import type { FileRecord } from "../api/types";

/** Files of the same step together; a file without a step by itself. */
export function groupBySteps<File extends Pick<FileRecord, "step">>(files: File[]): File[][] {
  const steps: File[][] = [];
  for (const file of files) {
    const last = steps.at(-1);
    if (last && file.step !== null && last[0]?.step === file.step) last.push(file);
    else steps.push([file]);
  }
  return steps;
}
