// What leads to archived runs and to the trash, and the head of the trash.

import { useRef, useState } from "preact/hooks";
import { listRuns } from "../api/runs";
import { mayChange } from "../api/session";
import type { ProjectSummary } from "../api/types";
import { changeAll, describeProgress, type Progress } from "../table/bulk-change";
import { Dialog } from "../ui/dialog";
import { grouped, plural } from "../ui/format";
import { changedAddress, go, showingShelf } from "../view/address";
import { shelf } from "../view/parameters";

const FIRST = { limit: 1, offset: 0 };

/** Links between the runs, the archive and the trash of a project, for what has any runs. */
export function KeptRuns({ project }: { project: ProjectSummary | undefined }) {
  const { archived_runs: archived = 0, trashed_runs: trashed = 0 } = project ?? {};
  const isTrash = shelf.value === "trash";
  if (isTrash || (archived === 0 && trashed === 0 && shelf.value === "")) return null;
  return (
    <p class="tools kept">
      {(archived > 0 || shelf.value === "archived") && (
        <label>
          <input
            type="checkbox"
            checked={shelf.value === "archived"}
            onChange={(event) =>
              go(showingShelf(event.currentTarget.checked ? "archived" : undefined))
            }
          />
          Archived ({grouped(archived)})
        </label>
      )}
      {trashed > 0 && <ShelfLink show="trash">Trash ({grouped(trashed)})</ShelfLink>}
    </p>
  );
}

function ShelfLink({ show, children }: { show?: string; children: preact.ComponentChildren }) {
  const follow = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(showingShelf(show));
  };
  return (
    <a href={changedAddress(showingShelf(show))} onClick={follow}>
      {children}
    </a>
  );
}

interface TrashProps {
  project: ProjectSummary | undefined;
  onChange: () => void;
}

/** The head of the trash: the way back, and what empties it. */
export function TrashHead({ project, onChange }: TrashProps) {
  const [isAsking, setAsking] = useState(false);
  const count = project?.trashed_runs ?? 0;
  return (
    <div class="trash-head">
      <p class="crumb">
        <ShelfLink>← Back to project</ShelfLink>
      </p>
      <p>
        Runs in the trash keep their data until you delete them here. Select runs to restore or
        delete them.
      </p>
      {mayChange.value && count > 0 && (
        <button type="button" onClick={() => setAsking(true)}>
          Empty trash
        </button>
      )}
      {isAsking && project && (
        <EmptyTrash project={project} onClose={() => setAsking(false)} onChange={onChange} />
      )}
    </div>
  );
}

/** When the latest run was moved to the trash, by the clock of the server. */
async function newestInTrash(project_id: number): Promise<string | null | undefined> {
  const order = { sort_by: "trashed_at", sort_order: "desc" };
  const { runs } = await listRuns({ project_id, filter: "trashed = true", ...order, ...FIRST });
  return runs[0]?.trashed_at;
}

function EmptyTrash(props: { project: ProjectSummary; onClose: () => void; onChange: () => void }) {
  const [progress, setProgress] = useState<Progress>();
  const abort = useRef(new AbortController());
  // Runs that come into the trash after the question are left alone.
  const newest = useRef(newestInTrash(props.project.id));
  const confirm = async () => {
    const trashedAt = await newest.current;
    if (!trashedAt) return;
    const filter = `trashed <= "${trashedAt}"`;
    const select = { project_id: props.project.id, filter, include: [], exclude: [] };
    await changeAll({ select }, { type: "delete" }, setProgress, abort.current.signal);
    props.onChange();
  };
  const close = () => {
    abort.current.abort();
    props.onChange();
    props.onClose();
  };
  return (
    <Dialog
      title={`Delete ${plural(props.project.trashed_runs ?? 0, "run")} in the trash?`}
      action="Delete for good"
      dangerous
      onConfirm={confirm}
      onClose={close}
    >
      <p>This deletes their metrics, configurations and files. It cannot be undone.</p>
      <p role="status">{progress && describeProgress(progress)}</p>
    </Dialog>
  );
}
