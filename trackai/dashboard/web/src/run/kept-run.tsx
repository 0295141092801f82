// Whether a run is archived or in the trash, and what changes it.

import { useState } from "preact/hooks";
import type { KeepVerb } from "../api/runs";
import { mayChange } from "../api/session";
import type { Run } from "../api/types";
import { changeIds } from "../table/bulk-change";
import { errorText } from "../ui/errors";
import { timeAgo } from "../ui/format";
import { ErrorMessage } from "../ui/messages";

interface Props {
  run: Run;
  onChange: () => void;
}

export function KeptRun({ run, onChange }: Props) {
  const [error, setError] = useState("");
  const keep = async (verb: KeepVerb) => {
    try {
      await changeIds([run.id], { type: verb });
      setError("");
    } catch (problem) {
      setError(errorText(problem));
    }
    onChange();
  };
  const button = (verb: KeepVerb, label: string) => (
    <button type="button" onClick={() => void keep(verb)}>
      {label}
    </button>
  );
  return (
    <div class="kept-run">
      <span role="status">{describe(run)}</span>
      {mayChange.value &&
        (run.trashed_at ? (
          button("restore", "Restore")
        ) : (
          <>
            {run.archived_at ? button("unarchive", "Unarchive") : button("archive", "Archive")}
            {button("trash", "Move to trash")}
          </>
        ))}
      <ErrorMessage message={error} />
    </div>
  );
}

function describe({ archived_at, trashed_at }: Run): string {
  if (trashed_at) return `In the trash since ${timeAgo(trashed_at)}`;
  return archived_at ? `Archived ${timeAgo(archived_at)}` : "";
}
