// Above the table: the run that the others are compared with.

import { nameOf } from "../api/run-names";
import { runName } from "../api/runs";
import type { Run } from "../api/types";
import { keepingView, params, replaceParameters } from "../view/address";
import { Link } from "../view/link";
import { baselineId } from "../view/parameters";

/** Names the baseline, which the table may not contain, and says what has become of it. */
export function BaselineNote({ run }: { run: Run | null | undefined }) {
  const text = params.value.get("base") ?? "";
  const id = baselineId.value;
  if (!text.trim() || (id !== undefined && run === undefined)) return null;
  const name = text.replace(/^\?/, "");
  return (
    <p class="tools baseline" role="status">
      <span>
        Baseline:{" "}
        {run ? (
          <Link to={keepingView({ run: run.id, project: run.project_id })}>{runName(run)}</Link>
        ) : (
          `${id === undefined ? name : nameOf(id)} was not found. It may have been deleted.`
        )}
        {run?.trashed_at && <small class="faint"> in the trash</small>}
        {run?.archived_at && !run.trashed_at && <small class="faint"> archived</small>}
      </span>
      <button type="button" onClick={() => replaceParameters({ base: undefined })}>
        Remove baseline
      </button>
    </p>
  );
}
