// Actions on the chosen runs: compare, tag, untag, move, archive, trash, delete and export.

import { useEffect, useRef, useState } from "preact/hooks";
import { usePolled } from "../api/polling";
import { listProjects } from "../api/projects";
import { nameOf, runNames } from "../api/run-names";
import { type BulkAction, exportPath, type KeepVerb, UNDO } from "../api/runs";
import { mayChange } from "../api/session";
import type { ChoiceBody } from "../api/types";
import { Dialog } from "../ui/dialog";
import { errorText } from "../ui/errors";
import { grouped, plural } from "../ui/format";
import { go, keepingView } from "../view/address";
import { type Choice, choiceBody, chooseIds, NO_CHOICE, printChoice } from "../view/choice";
import { Link } from "../view/link";
import { meanBy, choice as ownChoice, shelf } from "../view/parameters";
import { changeAll, changeIds, describeProgress, frozen, type Progress } from "./bulk-change";

const MAX_NAMES = 5;

interface Props {
  projectId: number;
  choice: Choice;
  /** The row ids of the shown runs. */
  chosen: number[];
  onChange: () => void;
}

type Action = "tag" | "untag" | "move" | "delete";

export function SelectionActions({ projectId, choice, chosen, onChange }: Props) {
  const [open, setOpen] = useState<Action>();
  const [result, setResult] = useState("");
  const [undo, setUndo] = useState<() => Promise<void>>();
  const isKeeping = useRef(false);
  const choiceKey = JSON.stringify(choice);
  const before = useRef(choiceKey);
  useEffect(() => {
    // What was done to other runs is not about these.
    // The runs that are shown by default change by themselves, and undoing stays on offer.
    const isBusy = open !== undefined || undo !== undefined || isKeeping.current;
    if (before.current !== choiceKey && !isBusy && !choice.isDefault) setResult("");
    before.current = choiceKey;
  }, [choiceKey]);
  const done = (text: string) => {
    setResult(text);
    setUndo(undefined);
    onChange();
  };
  const body = choiceBody(projectId, choice);
  const keep = async (verb: KeepVerb) => {
    if (isKeeping.current) return;
    isKeeping.current = true;
    const [ids, text] = await keepRuns(frozen(body, chosen), verb, setResult);
    isKeeping.current = false;
    done(text);
    if (ids.length === 0) return;
    leaveChoice();
    const place = shelf.peek();
    setUndo(() => async () => {
      setUndo(undefined);
      focusTable();
      try {
        await changeIds(ids, { type: UNDO[verb] });
        // What the user has chosen since stays.
        const since = ownChoice.peek();
        if (shelf.peek() === place && (!since || since.isDefault)) {
          before.current = choiceKey;
          go(printChoice(choice));
        }
        done(`Undone: ${plural(ids.length, "run")}`);
      } catch (problem) {
        done(`Not undone: ${errorText(problem)}`);
      }
    });
  };
  const status = (
    <>
      <span class="result" role="status">
        {result}
      </span>
      {undo && (
        <button type="button" onClick={() => void undo()}>
          Undo
        </button>
      )}
    </>
  );
  if (isNothing(choice)) {
    return (
      <div class="actions">
        <button type="button" onClick={() => go(NO_CHOICE)}>
          {meanBy.value ? "Show all runs" : "Show the newest runs"}
        </button>
        {status}
      </div>
    );
  }
  if (chosen.length === 0) return result ? <div class="actions">{status}</div> : null;
  const comparison = { view: "compare", project: projectId };
  const compare = chosen.length > 1 && (
    <Link class="button" to={{ ...keepingView(comparison), ...printChoice(choice) }}>
      Compare
    </Link>
  );
  const media = (
    <Link
      class="button"
      to={{ ...keepingView({ view: "media", project: projectId }), ...printChoice(choice) }}
      title="Images, sounds, videos, tables, charts and figures of the runs, side by side"
    >
      Media
    </Link>
  );
  if (choice.isDefault) {
    return (
      <div class="actions">
        <span class="faint">{describeDefault(choice, chosen)}</span>
        {compare}
        {media}
        <button type="button" onClick={() => go(printChoice(chooseIds([])))}>
          Show none
        </button>
        {status}
      </div>
    );
  }
  const dialog = { projectId, body, chosen, onClose: () => setOpen(undefined), onDone: done };
  return (
    <div class="actions" role="group" aria-label="Selected runs">
      <span>{plural(chosen.length, "run")}</span>
      {compare}
      {media}
      {mayChange.value ? (
        <>
          <button type="button" onClick={() => setOpen("tag")}>
            Tag
          </button>
          <button type="button" onClick={() => setOpen("untag")}>
            Untag
          </button>
          <button type="button" onClick={() => setOpen("move")}>
            Move
          </button>
          {keepButtons().map(([verb, label]) => (
            <button key={verb} type="button" onClick={() => void keep(verb)}>
              {label}
            </button>
          ))}
          <button type="button" onClick={() => setOpen("delete")}>
            Delete
          </button>
        </>
      ) : (
        <span class="faint">Read only: signing in with a key of scope admin allows changes</span>
      )}
      <a class="button" href={exportPath(body)} download title="Save the runs as JSON lines">
        Export
      </a>
      <button type="button" onClick={() => go(NO_CHOICE)}>
        Clear selection
      </button>
      {status}
      {(open === "tag" || open === "untag") && <TagDialog {...dialog} isAdding={open === "tag"} />}
      {open === "move" && <MoveDialog {...dialog} />}
      {open === "delete" && <DeleteDialog {...dialog} />}
    </div>
  );
}

/** What can be done with the runs that are shown. */
function keepButtons(): [KeepVerb, string][] {
  if (shelf.value === "trash") return [["restore", "Restore"]];
  const archiving: [KeepVerb, string][] = [["archive", "Archive"]];
  if (shelf.value === "archived") archiving.push(["unarchive", "Unarchive"]);
  return [...archiving, ["trash", "Move to trash"]];
}

const DONE: Record<KeepVerb, string> = {
  archive: "Archived",
  unarchive: "Unarchived",
  trash: "Moved to the trash:",
  restore: "Restored",
};

/** Archive or trash runs, or take them back; returns those that changed, and what to say. */
async function keepRuns(
  choice: ChoiceBody,
  verb: KeepVerb,
  onText: (text: string) => void,
): Promise<[number[], string]> {
  const ids: number[] = [];
  const { signal } = new AbortController();
  const onProgress = (progress: Progress) => onText(describeProgress(progress));
  const onIds = (changed: number[]) => ids.push(...changed);
  try {
    await changeAll(choice, { type: verb }, onProgress, signal, onIds);
    return [ids, `${DONE[verb]} ${plural(ids.length, "run")}`];
  } catch (problem) {
    return [ids, `${DONE[verb]} ${plural(ids.length, "run")}; ${errorText(problem)}`];
  }
}

function describeDefault({ filters }: Choice, chosen: number[]): string {
  if (filters.length > 0) return `Showing all ${plural(chosen.length, "run")}`;
  return `Showing the ${chosen.length === 1 ? "newest run" : `${chosen.length} newest runs`}`;
}

interface DialogProps {
  projectId: number;
  body: ChoiceBody;
  chosen: number[];
  onClose: () => void;
  /** Called with what was done. */
  onDone: (result: string) => void;
}

interface BulkDialogProps extends DialogProps {
  title: string;
  button: string;
  /** What was done, as in "Tagged". */
  verb: string;
  dangerous?: boolean;
  /** Returns what to do; throws if the input does not allow it. */
  action: () => BulkAction;
  onSuccess?: () => void;
  children: preact.ComponentChildren;
}

/** A dialog that changes the runs that were chosen when it was opened, and shows the progress. */
function BulkDialog(props: BulkDialogProps) {
  const [progress, setProgress] = useState<Progress>();
  const abort = useRef(new AbortController());
  const choice = useRef(frozen(props.body, props.chosen));
  const confirm = async () => {
    const { signal } = abort.current;
    const number = await changeAll(choice.current, props.action(), setProgress, signal);
    props.onSuccess?.();
    props.onDone(`${props.verb} ${plural(number, "run")}`);
  };
  const close = () => {
    abort.current.abort();
    if (progress && progress.done < progress.total) {
      props.onDone(`Stopped: ${props.verb.toLowerCase()} ${describeProgress(progress)}`);
    }
    props.onClose();
  };
  return (
    <Dialog
      title={props.title}
      action={props.button}
      dangerous={props.dangerous}
      onConfirm={confirm}
      onClose={close}
    >
      {props.children}
      <p role="status">{progress && describeProgress(progress)}</p>
    </Dialog>
  );
}

function TagDialog(props: DialogProps & { isAdding: boolean }) {
  const input = useRef<HTMLInputElement>(null);
  const button = props.isAdding ? "Tag" : "Untag";
  const action = (): BulkAction => {
    const tags = (input.current?.value ?? "")
      .split(",")
      .map((tag) => tag.trim())
      .filter(Boolean);
    if (tags.length === 0) throw new Error("Enter one or more tags, separated by commas.");
    return { type: "tag", ...(props.isAdding ? { add: tags } : { remove: tags }) };
  };
  return (
    <BulkDialog
      {...props}
      title={`${button} ${plural(props.chosen.length, "run")}`}
      button={button}
      verb={props.isAdding ? "Tagged" : "Untagged"}
      action={action}
    >
      <label class="field">
        Tags, separated by commas
        <input ref={input} autofocus maxLength={256} />
      </label>
    </BulkDialog>
  );
}

function MoveDialog(props: DialogProps) {
  const input = useRef<HTMLInputElement>(null);
  const { data: projects = [] } = usePolled(listProjects, 0, []);
  const action = (): BulkAction => {
    const project = (input.current?.value ?? "").trim();
    if (!project) throw new Error("Enter the name of a project.");
    return { type: "move", project };
  };
  return (
    <BulkDialog
      {...props}
      title={`Move ${plural(props.chosen.length, "run")}`}
      button="Move"
      verb="Moved"
      action={action}
      onSuccess={leaveChoice}
    >
      <label class="field">
        Project, which is created if it does not exist
        <input ref={input} autofocus maxLength={512} list="project-names" />
      </label>
      <datalist id="project-names">
        {projects
          .filter(({ id }) => id !== props.projectId)
          .map(({ id, name }) => (
            <option key={id} value={name} />
          ))}
      </datalist>
    </BulkDialog>
  );
}

function DeleteDialog(props: DialogProps) {
  const { chosen } = props;
  return (
    <BulkDialog
      {...props}
      title={`Delete ${plural(chosen.length, "run")}?`}
      button="Delete"
      verb="Deleted"
      dangerous
      action={() => ({ type: "delete" })}
      onSuccess={leaveChoice}
    >
      <p>{listNames(chosen)}</p>
      <p>
        {chosen.length === 1
          ? "This deletes its metrics, configuration and files."
          : "This deletes their metrics, configurations and files."}{" "}
        It cannot be undone.
      </p>
    </BulkDialog>
  );
}

/** The chosen runs are gone. */
function leaveChoice(): void {
  go(NO_CHOICE);
  focusTable();
}

/** The button that had the focus is gone. */
function focusTable(): void {
  requestAnimationFrame(() => document.querySelector<HTMLElement>(".rows")?.focus());
}

/** Whether the user has chosen to see no run. */
const isNothing = ({ ids, filters, isDefault }: Choice): boolean =>
  !isDefault && ids.length + filters.length === 0;

/** The first names, and how many more there are. */
function listNames(ids: number[]): string {
  const named = ids.slice(0, MAX_NAMES).filter((id) => runNames.value.has(id));
  const names = (named.length > 0 ? named : ids.slice(0, MAX_NAMES)).map(nameOf).join(", ");
  const others = ids.length - MAX_NAMES;
  return others > 0 ? `${names} and ${grouped(others)} more` : names;
}
