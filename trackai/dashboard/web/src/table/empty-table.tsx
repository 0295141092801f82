// A table without runs: how to clear the filter, where the runs are, or how to log one.

import type { ProjectSummary } from "../api/types";
import { grouped } from "../ui/format";
import { go, showingShelf } from "../view/address";
import { filterText, shelf } from "../view/parameters";

const EXAMPLE = `import trackai

with trackai.init(project="…") as run:
    run.log({"loss": 0.5})`;

export function EmptyTable({ project }: { project: ProjectSummary | undefined }) {
  if (!project) return null;
  const isTrash = shelf.value === "trash";
  const archived = shelf.value === "" ? (project.archived_runs ?? 0) : 0;
  const trashed = isTrash ? 0 : (project.trashed_runs ?? 0);
  if (filterText.value) {
    return (
      <div class="empty">
        <p>No runs match the filter.</p>
        <button type="button" onClick={() => go({ filter: undefined })}>
          Clear filter
        </button>
        {archived > 0 && <ShelfButton show="archived">Search archived runs, too</ShelfButton>}
      </div>
    );
  }
  if (isTrash) return <p class="empty">The trash is empty.</p>;
  // The counts of the project are about to follow the table, or the table to follow them.
  if (project.total_runs > 0) return null;
  if (archived + trashed > 0) {
    const places = [archived > 0 && "archived", trashed > 0 && "in the trash"].filter(Boolean);
    return (
      <div class="empty">
        <p>All runs of this project are {places.join(" or ")}.</p>
        {archived > 0 && (
          <ShelfButton show="archived">Show archived runs ({grouped(archived)})</ShelfButton>
        )}
        {trashed > 0 && <ShelfButton show="trash">Open the trash ({grouped(trashed)})</ShelfButton>}
      </div>
    );
  }
  return (
    <div class="empty">
      <p>No runs yet. Log one:</p>
      <pre>{EXAMPLE}</pre>
      <p class="faint">New runs appear here automatically.</p>
    </div>
  );
}

function ShelfButton({ show, children }: { show: string; children: preact.ComponentChildren }) {
  return (
    <button type="button" onClick={() => go(showingShelf(show))}>
      {children}
    </button>
  );
}
