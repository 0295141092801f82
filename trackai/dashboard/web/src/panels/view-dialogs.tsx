// Dialogs that create, copy, import and delete views.

import { useRef, useState } from "preact/hooks";
import { deleteView, type Layout, type View } from "../api/views";
import { orderMetrics } from "../chart/metric-order";
import { searchMetrics } from "../chart/metric-sections";
import { Dialog } from "../ui/dialog";
import { plural } from "../ui/format";
import { parseJson } from "../ui/json";
import { go } from "../view/address";
import { metricSearch } from "../view/parameters";
import { layoutOfMetrics, MAX_METRICS } from "./layout";
import { createAndShow, withTable } from "./saving";
import { drafts, forgetView, openDialog, setDraft, type ViewDialogName } from "./view-state";

interface Props {
  name: ViewDialogName;
  projectId: number;
  /** The view that is shown. */
  view: View | undefined;
  /** The metrics of the selected runs; a new view can begin with those that are searched for. */
  metrics: string[];
}

const close = () => {
  openDialog.value = undefined;
};

export function ViewDialog({ name, ...props }: Props) {
  if (name === "new") return <NewDialog {...props} />;
  if (name === "import") return <ImportDialog {...props} />;
  if (!props.view) return null;
  const Shown = name === "copy" ? CopyDialog : DeleteDialog;
  return <Shown projectId={props.projectId} view={props.view} />;
}

const NameField = ({ field, value = "" }: { field: { current: string }; value?: string }) => (
  <label class="field">
    Name
    <input
      autofocus
      required
      maxLength={512}
      defaultValue={value}
      onInput={(event) => {
        field.current = event.currentTarget.value;
      }}
    />
  </label>
);

function NewDialog({ projectId, metrics: all }: Omit<Props, "name">) {
  const name = useRef("");
  const metrics = searchMetrics(orderMetrics(all), metricSearch.value, /(?:)/).paths;
  const shown = plural(metrics.length, "metric");
  const [isEmpty, setEmpty] = useState(metrics.length === 0);
  const create = async () => {
    const view = await createAndShow(
      projectId,
      name.current,
      await withTable(layoutOfMetrics(isEmpty ? [] : metrics)),
    );
    setDraft(view.id, view);
  };
  return (
    <Dialog title="New view" action="Create" onConfirm={create} onClose={close}>
      <NameField field={name} />
      <fieldset class="choices">
        <legend>Begin with</legend>
        <label>
          <input
            type="radio"
            name="begin"
            checked={!isEmpty}
            disabled={metrics.length === 0}
            onChange={() => setEmpty(false)}
          />
          {metrics.length > MAX_METRICS ? `the first ${MAX_METRICS} of ` : "the "}
          {shown} shown
        </label>
        <label>
          <input type="radio" name="begin" checked={isEmpty} onChange={() => setEmpty(true)} />
          an empty section
        </label>
      </fieldset>
    </Dialog>
  );
}

function CopyDialog({ projectId, view }: { projectId: number; view: View }) {
  const draft = drafts.value.get(view.id);
  const initial = `${draft?.name ?? view.name} (copy)`;
  const name = useRef(initial);
  const copy = async () => {
    await createAndShow(projectId, name.current, await withTable((draft ?? view).layout));
    setDraft(view.id, undefined);
  };
  return (
    <Dialog title="Copy the view" action="Copy" onConfirm={copy} onClose={close}>
      <NameField field={name} value={initial} />
    </Dialog>
  );
}

function DeleteDialog({ view }: { view: View }) {
  const remove = async () => {
    await deleteView(view.id);
    forgetView(view.id);
    go({ panels: undefined, full: undefined });
  };
  return (
    <Dialog
      title={`Delete the view “${view.name}”?`}
      action="Delete"
      dangerous
      onConfirm={remove}
      onClose={close}
    >
      <p>Its address will show nothing. Runs and metrics remain. It cannot be undone.</p>
    </Dialog>
  );
}

interface ViewFile {
  name: string;
  layout: Layout;
}

/** Read an exported view; the server checks its layout. */
export function parseViewFile(fileName: string, text: string): ViewFile {
  let content: unknown;
  try {
    content = parseJson(text);
  } catch {
    throw new Error(`${fileName}: not JSON`);
  }
  if (typeof content !== "object" || content === null || !("layout" in content)) {
    throw new Error(`${fileName}: not a view; export one with Export as JSON`);
  }
  const name = "name" in content && typeof content.name === "string" ? content.name : "";
  return { name: name || fileName.replace(/\.json$/i, ""), layout: content.layout as Layout };
}

function ImportDialog({ projectId }: Omit<Props, "name">) {
  const name = useRef("");
  const [file, setFile] = useState<ViewFile>();
  const problem = useRef<unknown>(new Error("Choose a file."));
  const read = async (chosen: File | undefined) => {
    if (!chosen) return;
    try {
      const content = parseViewFile(chosen.name, await chosen.text());
      name.current = content.name;
      setFile(content);
    } catch (error) {
      problem.current = error;
      setFile(undefined);
    }
  };
  const create = async () => {
    if (!file) throw problem.current;
    await createAndShow(projectId, name.current, file.layout);
  };
  return (
    <Dialog title="Import a view" action="Import" onConfirm={create} onClose={close}>
      <label class="field">
        File
        <input
          type="file"
          accept=".json,application/json"
          onChange={(event) => void read(event.currentTarget.files?.[0])}
        />
      </label>
      {file && <NameField key={file.name} field={name} value={file.name} />}
    </Dialog>
  );
}
