// A note on selected runs that do not exist: a link may select runs that have been deleted since.

import { missingRuns } from "../api/run-names";
import { missingRunsText } from "../ui/messages";
import { replaceParameters } from "../view/address";

export function MissingRuns({ selected }: { selected: number[] }) {
  const missing = selected.filter((id) => missingRuns.value.has(id));
  if (missing.length === 0) return null;
  const deselect = () => {
    const rest = selected.filter((id) => !missing.includes(id));
    replaceParameters({ runs: rest.join(",") || undefined });
  };
  return (
    <p class="problem" role="status">
      {missingRunsText(missing.length)}{" "}
      <button type="button" onClick={deselect}>
        Remove from selection
      </button>
    </p>
  );
}
