// The name of the run under the cursor, and some of its values.

import { formatValue } from "../ui/format";
import { type ComparedRun, hoveredRun } from "./compared-runs";
import { fieldTitle } from "./fields";

export function HoveredRun({ runs, fields }: { runs: ComparedRun[]; fields: string[] }) {
  const run = runs.find(({ id }) => id === hoveredRun.value);
  return (
    <p class="words" aria-live="polite">
      {run ? (
        <>
          <b>{run.name}</b>{" "}
          {fields.map((field) => (
            <span key={field}>
              {fieldTitle(field)} <b>{formatValue(run.values[field])}</b>
            </span>
          ))}
        </>
      ) : (
        <span class="faint">Hover over a run for details</span>
      )}
    </p>
  );
}
