import { expect, test } from "vitest";
import type { AnyNumber, FilesOfRun } from "../../src/api/types";
import { missingNote } from "../../src/media/step-note";

const filesAt = (step: AnyNumber | null, first: AnyNumber | null = 0): FilesOfRun => ({
  run_id: 1,
  first_step: first,
  total: 1,
  files: [{ id: 1, run_id: 1, path: "a", kind: "file", name: "a", step, timestamp: null, size: 1 }],
});

test("what a run lacks at a step", () => {
  expect(missingNote(3, filesAt(3))).toBeUndefined();
  expect(missingNote(2n ** 60n, filesAt(2n ** 60n))).toBeUndefined();
  expect(missingNote(undefined, filesAt(3))).toBeUndefined();
  expect(missingNote(3, filesAt(2.5))).toBe("Nothing at step 3: shown is step 2.5.");
  expect(missingNote(3, filesAt(null))).toBe("Nothing at step 3: shown is a file without a step.");
  expect(missingNote(3, { ...filesAt(3, 5), files: [] })).toBe(
    "Nothing until step 3: the first is at step 5.",
  );
  expect(missingNote(3, undefined)).toBe("No files of this name.");
});
