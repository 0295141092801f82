// The menu of the views of a project. Panels and dialogs are loaded when they are used.

import { useEffect, useState } from "preact/hooks";
import { errorMessage } from "../api/client";
import { mayChange } from "../api/session";
import { listViews, type ViewSummary } from "../api/views";
import type { BoardProps } from "../chart/chart-list";
import { fileName, saveFile } from "../ui/download";
import { toJson } from "../ui/json";
import { useModule } from "../ui/lazy-module";
import { ErrorMessage, Loading, PageError } from "../ui/messages";
import { usePopover } from "../ui/popover";
import { compareNatural } from "../ui/values";
import { NO_ROWS, ownRows } from "../view/address";
import { Link } from "../view/link";
import { NO_CHANGES } from "../view/table-columns";
import type { Board } from "./board";
import type { ViewDialog } from "./view-dialogs";
import {
  drafts,
  openDialog,
  rowsBefore,
  type ShownView,
  setDraft,
  type ViewDialogName,
} from "./view-state";

const load = () => import("./workbench");

interface MenuProps {
  projectId: number;
  /** The id of the view in the address; undefined for a chart for each metric. */
  id: number | undefined;
  shown: ShownView;
}

export function ViewMenu({ projectId, id, shown }: MenuProps) {
  const [popover, close] = usePopover();
  const [views, setViews] = useState<ViewSummary[]>();
  const [error, setError] = useState("");
  const { view } = shown;
  const isEditing = id !== undefined && drafts.value.has(id);
  const loadViews = () =>
    listViews(projectId).then(
      (list) => {
        setError("");
        setViews(list.sort((left, right) => compareNatural(left.name, right.name)));
      },
      (problem) => setError(errorMessage(problem)),
    );
  const action = (name: ViewDialogName) => () => {
    close(true);
    openDialog.value = name;
  };
  return (
    <>
      <details
        class="chooser views"
        {...popover}
        onToggle={(event) => event.currentTarget.open && void loadViews()}
      >
        <summary>{id === undefined ? "Views" : `View: ${view?.name ?? "…"}`}</summary>
        <div class="menu">
          <ErrorMessage message={error} />
          <ViewLink id={undefined} current={id} name="all metrics" onFollow={close} />
          {(views ?? []).map(({ id: viewId, name }) => (
            <ViewLink key={viewId} id={viewId} current={id} name={name} onFollow={close} />
          ))}
          <hr />
          {mayChange.value && (
            <button type="button" onClick={action("new")}>
              New view…
            </button>
          )}
          {mayChange.value && (
            <button type="button" onClick={action("import")}>
              Import…
            </button>
          )}
          {view && (
            <button
              type="button"
              onClick={() => {
                close(true);
                exportView(view.name, view.layout);
              }}
            >
              Export as JSON
            </button>
          )}
          {view && mayChange.value && (
            <>
              <button type="button" onClick={action("copy")}>
                Copy…
              </button>
              <button type="button" onClick={action("delete")}>
                Delete…
              </button>
            </>
          )}
        </div>
      </details>
      {view && mayChange.value && !isEditing && (
        <button type="button" onClick={() => setDraft(view.id, view)}>
          Edit view
        </button>
      )}
    </>
  );
}

interface LinkProps {
  id: number | undefined;
  current: number | undefined;
  name: string;
  onFollow: (focusSummary: boolean) => void;
}

const ViewLink = ({ id, current, name, onFollow }: LinkProps) => (
  <span
    onClickCapture={() => {
      rowsBefore.id = id;
      rowsBefore.rows = ownRows();
      onFollow(false);
    }}
  >
    <Link
      keep
      // The columns and rows of a view are not those of another.
      to={{
        panels: id,
        closed: undefined,
        full: undefined,
        ...(id && { ...NO_CHANGES, ...NO_ROWS }),
      }}
      aria-current={id === current ? "true" : undefined}
    >
      {name}
    </Link>
  </span>
);

/** The file can be imported again, here or in another project. */
const exportView = (name: string, layout: unknown): void =>
  saveFile(
    fileName(name, "json"),
    new Blob([toJson({ name, layout }, 2)], { type: "application/json" }),
  );

export function LazyBoard({
  shown,
  ...props
}: BoardProps & Omit<Parameters<typeof Board>[0], "view"> & { shown: ShownView }) {
  const { module, error } = useModule(load);
  // Unsaved changes of a view that was deleted can still be copied.
  if (shown.notFound && !(shown.view && drafts.value.has(shown.view.id))) {
    return (
      <PageError>
        View not found. It may have been deleted.{" "}
        <Link keep to={{ panels: undefined }}>
          Show all metrics
        </Link>
      </PageError>
    );
  }
  const problem = error || (shown.view ? "" : shown.error);
  if (problem) return <PageError>{problem}</PageError>;
  if (!module || !shown.view) return <Loading />;
  return <module.Board key={shown.view.id} view={shown.view} {...props} />;
}

export function LazyViewDialog(props: Omit<Parameters<typeof ViewDialog>[0], "name">) {
  return openDialog.value ? <LoadedDialog {...props} name={openDialog.value} /> : null;
}

function LoadedDialog(props: Parameters<typeof ViewDialog>[0]) {
  const { module, error } = useModule(load);
  useEffect(() => {
    // The banner says so, and the next use tries again.
    if (error) openDialog.value = undefined;
  }, [error]);
  return module ? <module.ViewDialog {...props} /> : null;
}
