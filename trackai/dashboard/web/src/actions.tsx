// What can be done with the runs that somebody has chosen.

import { useRef, useState } from "preact/hooks";
import * as api from "./api";
import { Dialog } from "./dialog";
import { names } from "./names";
import { address, follow, go, projectId, within } from "./view";

// As many names as one reads.
const NAMED = 5;

/** What some runs are called, the first of them. */
function some(ids: number[]): string {
  const known = ids.slice(0, NAMED).map((id) => names.value.get(id) ?? `run ${id}`);
  return known.join(", ") + (ids.length > NAMED ? ` and ${ids.length - NAMED} more` : "");
}

type Question = "tag" | "untag" | "delete" | undefined;

interface Props {
  chosen: number[];
  /** Whether somebody chose them: nothing is done to the newest, which are chosen by themselves. */
  byHand: boolean;
  onChange: () => void;
}

export function Actions({ chosen, byHand, onChange }: Props) {
  const [question, setQuestion] = useState<Question>();
  const input = useRef<HTMLInputElement>(null);
  const runs = `${chosen.length} ${chosen.length === 1 ? "run" : "runs"}`;
  const close = () => setQuestion(undefined);
  const tag = async () => {
    const tags = (input.current?.value ?? "")
      .split(",")
      .map((one) => one.trim())
      .filter(Boolean);
    if (tags.length === 0) throw new Error("Name one tag, or several with commas between them.");
    await api.changeTags(chosen, question === "tag" ? { add: tags } : { remove: tags });
    onChange();
  };
  const remove = async () => {
    await api.deleteRuns(chosen);
    go({ runs: undefined });
    onChange();
    // The button that asked has gone with the runs.
    requestAnimationFrame(() => document.querySelector<HTMLElement>(".rows")?.focus());
  };
  const side = { ...within({ view: "compare", project: projectId.value }), runs: chosen.join(",") };
  const compare = chosen.length > 1 && (
    <a class="button" href={address(side, false)} onClick={(event) => follow(event, side)}>
      Compare
    </a>
  );
  const none = (
    <button type="button" onClick={() => go({ runs: "0" })}>
      Choose none
    </button>
  );
  if (!byHand) {
    return (
      <div class="actions">
        <span class="faint">The newest, until you choose</span>
        {compare}
        {none}
      </div>
    );
  }
  return (
    <div class="actions" role="group" aria-label="Chosen runs">
      <span>{runs}</span>
      {compare}
      <button type="button" onClick={() => setQuestion("tag")}>
        Tag
      </button>
      <button type="button" onClick={() => setQuestion("untag")}>
        Untag
      </button>
      <button type="button" onClick={() => setQuestion("delete")}>
        Delete
      </button>
      {none}
      {(question === "tag" || question === "untag") && (
        <Dialog
          title={question === "tag" ? `Tag ${runs}` : `Take tags from ${runs}`}
          action={question === "tag" ? "Tag" : "Untag"}
          onDo={tag}
          onClose={close}
        >
          <label class="field">
            Tags, with commas between them
            <input ref={input} autofocus maxLength={256} />
          </label>
        </Dialog>
      )}
      {question === "delete" && (
        <Dialog title={`Delete ${runs}?`} action="Delete" dangerous onDo={remove} onClose={close}>
          <p>{some(chosen)}</p>
          <p>
            {chosen.length === 1
              ? "All its points, its configuration and files go with it."
              : "All their points, configurations and files go with them."}{" "}
            This cannot be undone.
          </p>
        </Dialog>
      )}
    </div>
  );
}
