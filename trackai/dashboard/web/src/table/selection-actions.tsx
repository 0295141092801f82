// Actions on the selected runs: compare, tag, untag and delete.

import { useRef, useState } from "preact/hooks";
import { nameOf } from "../api/run-names";
import { changeTags, deleteRuns } from "../api/runs";
import { mayChange } from "../api/session";
import { Dialog } from "../ui/dialog";
import { plural } from "../ui/format";
import { go, keepingView } from "../view/address";
import { Link } from "../view/link";
import { projectId } from "../view/parameters";

const MAX_NAMES = 5;

interface Props {
  selected: number[];
  /** Whether the user selected them; the newest, shown by default, cannot be changed. */
  isExplicit: boolean;
  onChange: () => void;
}

export function SelectionActions({ selected, isExplicit, onChange }: Props) {
  const [open, setOpen] = useState<"tag" | "untag" | "delete">();
  const close = () => setOpen(undefined);
  const comparison = { view: "compare", project: projectId.value };
  const compare = selected.length > 1 && (
    <Link class="button" to={{ ...keepingView(comparison), runs: selected.join(",") }}>
      Compare
    </Link>
  );
  const clear = (
    <button type="button" onClick={() => go({ runs: "0" })}>
      Clear selection
    </button>
  );
  if (!isExplicit) {
    return (
      <div class="actions">
        <span class="faint">
          Showing the {selected.length === 1 ? "newest run" : `${selected.length} newest runs`}
        </span>
        {compare}
        {clear}
      </div>
    );
  }
  return (
    <div class="actions" role="group" aria-label="Selected runs">
      <span>{plural(selected.length, "run")}</span>
      {compare}
      {mayChange.value ? (
        <>
          <button type="button" onClick={() => setOpen("tag")}>
            Tag
          </button>
          <button type="button" onClick={() => setOpen("untag")}>
            Untag
          </button>
          <button type="button" onClick={() => setOpen("delete")}>
            Delete
          </button>
        </>
      ) : (
        <span class="faint">Read only: signing in with a key of scope admin allows changes</span>
      )}
      {clear}
      {(open === "tag" || open === "untag") && (
        <TagDialog
          selected={selected}
          isAdding={open === "tag"}
          onClose={close}
          onDone={onChange}
        />
      )}
      {open === "delete" && <DeleteDialog selected={selected} onClose={close} onDone={onChange} />}
    </div>
  );
}

interface DialogProps {
  selected: number[];
  onClose: () => void;
  onDone: () => void;
}

function TagDialog({ selected, isAdding, onClose, onDone }: DialogProps & { isAdding: boolean }) {
  const input = useRef<HTMLInputElement>(null);
  const action = isAdding ? "Tag" : "Untag";
  const confirm = async () => {
    const tags = (input.current?.value ?? "")
      .split(",")
      .map((tag) => tag.trim())
      .filter(Boolean);
    if (tags.length === 0) throw new Error("Enter one or more tags, separated by commas.");
    await changeTags(selected, isAdding ? { add: tags } : { remove: tags });
    onDone();
  };
  return (
    <Dialog
      title={`${action} ${plural(selected.length, "run")}`}
      action={action}
      onConfirm={confirm}
      onClose={onClose}
    >
      <label class="field">
        Tags, separated by commas
        <input ref={input} autofocus maxLength={256} />
      </label>
    </Dialog>
  );
}

function DeleteDialog({ selected, onClose, onDone }: DialogProps) {
  const isSingle = selected.length === 1;
  const confirm = async () => {
    await deleteRuns(selected);
    go({ runs: undefined });
    onDone();
    // The button that opened the dialog is gone.
    requestAnimationFrame(() => document.querySelector<HTMLElement>(".rows")?.focus());
  };
  return (
    <Dialog
      title={`Delete ${plural(selected.length, "run")}?`}
      action="Delete"
      dangerous
      onConfirm={confirm}
      onClose={onClose}
    >
      <p>{listNames(selected)}</p>
      <p>
        {isSingle
          ? "This deletes its metrics, configuration and files."
          : "This deletes their metrics, configurations and files."}{" "}
        It cannot be undone.
      </p>
    </Dialog>
  );
}

/** The first names, and how many more there are. */
function listNames(ids: number[]): string {
  const names = ids.slice(0, MAX_NAMES).map(nameOf).join(", ");
  return ids.length > MAX_NAMES ? `${names} and ${ids.length - MAX_NAMES} more` : names;
}
