// Compared runs for tests.

import type { ComparedRun } from "../../src/compare/compared-runs";

export const runsWith = (field: string, values: unknown[]): ComparedRun[] =>
  values.map((value, index) => ({
    id: index + 1,
    name: `r${index}`,
    state: "completed",
    values: { [field]: value },
  }));
