// A note on chosen runs that do not exist: a link may choose runs that have been deleted since.

import { missingRuns } from "../api/run-names";
import { missingRunsText } from "../ui/messages";
import { replaceParameters } from "../view/address";
import { type Choice, printSelection, withoutRuns } from "../view/choice";

export function MissingRuns({ choice }: { choice: Choice }) {
  const missing = choice.ids.filter((id) => missingRuns.value.has(id));
  if (missing.length === 0) return null;
  const deselect = () => {
    replaceParameters(printSelection(withoutRuns(choice, missing)));
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
