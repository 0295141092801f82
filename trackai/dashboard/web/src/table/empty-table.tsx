// A table without runs: how to clear the filter, or how to log a run.

import { go } from "../view/address";
import { filterText, shelf } from "../view/parameters";

const EXAMPLE = `import trackai

with trackai.init(project="…") as run:
    run.log({"loss": 0.5})`;

export function EmptyTable() {
  if (filterText.value) {
    return (
      <div class="empty">
        <p>No runs match the filter.</p>
        <button type="button" onClick={() => go({ filter: undefined })}>
          Clear filter
        </button>
      </div>
    );
  }
  if (shelf.value === "trash") return <p class="empty">The trash is empty.</p>;
  return (
    <div class="empty">
      <p>No runs yet. Log one:</p>
      <pre>{EXAMPLE}</pre>
      <p class="faint">New runs appear here automatically.</p>
    </div>
  );
}
