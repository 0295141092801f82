// The page of a project: its runs on the left, the charts of the selected runs on the right.

import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import { usePolled } from "../api/polling";
import { getColumns, getProject } from "../api/projects";
import { fetchNames, runNames } from "../api/run-names";
import type { Columns, Run } from "../api/types";
import { ChartList } from "../chart/chart-list";
import { useLoggedMetrics } from "../chart/use-logged-metrics";
import { LazyBoard, LazyViewDialog, ViewMenu } from "../panels/view-menu";
import { useView } from "../panels/view-state";
import { ColumnPicker } from "../table/column-picker";
import { RunsTable } from "../table/runs-table";
import { SelectionActions } from "../table/selection-actions";
import { assignColors } from "../ui/colors";
import { PageError } from "../ui/messages";
import { usePageTitle } from "../ui/page-title";
import { Splitter } from "../ui/splitter";
import { go } from "../view/address";
import { Link } from "../view/link";
import { hiddenLines, selectedRuns, viewId } from "../view/parameters";
import { printList } from "../view/parsing";
import { FilterForm } from "./filter-form";
import { GroupBySelect } from "./group-by-select";
import { MissingRuns } from "./missing-runs";

// By default, as many of the newest runs are shown as have different colours.
const NEWEST = 8;

export function ProjectPage({ id }: { id: number }) {
  const [changes, setChanges] = useState(0);
  const { data: project, error, notFound } = usePolled(() => getProject(id), 3000, [id, changes]);
  usePageTitle(project?.name);
  const { data: columns } = usePolled(() => getColumns(id), 5000, [id]);
  const [newest, onNewestRuns] = useNewestRuns();
  const known = selectedRuns.value ?? newest;
  const selected = known ?? [];
  assignColors(selected);
  useEffect(() => {
    void fetchNames(selected);
  }, [selected.join()]);
  const paths = useLoggedMetrics(selected, columns, project?.total_runs);
  const charts = useCharts(id, selected, known && paths, columns);
  if (notFound) {
    return (
      <PageError>
        {project
          ? "This project has been deleted."
          : "Project not found. It may have been deleted."}{" "}
        <Link to={{}}>← Projects</Link>
      </PageError>
    );
  }
  if (error && !project) return <PageError>{error}</PageError>;
  return (
    <div class="project">
      <section class="side" aria-label="Runs">
        {/* biome-ignore lint/a11y/useValidAnchor: it leads to an anchor, with the focus */}
        <a class="skip" href="#charts" onClick={skipToCharts}>
          Skip to charts
        </a>
        <h1>{project?.name ?? "…"}</h1>
        <FilterForm />
        <div class="tools">
          <GroupBySelect columns={columns} />
          <ColumnPicker available={columns} />
        </div>
        <MissingRuns selected={selected} />
        <RunsTable
          projectId={id}
          selected={selected}
          onNewestRuns={onNewestRuns}
          changes={changes}
          onSelect={(ids) => go({ runs: ids.join(",") || "0", hide: stillHidden(ids) })}
        />
        {selected.length > 0 && (
          <SelectionActions
            selected={selected}
            isExplicit={selectedRuns.value !== undefined}
            onChange={() => setChanges((count) => count + 1)}
          />
        )}
      </section>
      <Splitter storageKey="runs-width" label="Width of the table" />
      {charts}
    </div>
  );
}

/** The newest runs; undefined until the table has read them. */
function useNewestRuns(): [number[] | undefined, (runs: Run[]) => void] {
  const [newest, setNewest] = useState<number[]>();
  const onNewestRuns = useCallback((runs: Run[]) => {
    const ids = runs.slice(0, NEWEST).map((run) => run.id);
    setNewest((before) => (before?.join() === ids.join() ? before : ids));
  }, []);
  return [newest, onNewestRuns];
}

/** The charts; they are many, and rendered again only when something of theirs changes. */
function useCharts(
  project: number,
  selected: number[],
  paths: string[] | undefined,
  columns: Columns | undefined,
) {
  const names = selected.map((id) => runNames.value.get(id)).join("\u0000");
  const id = viewId.value;
  const shown = useView(project, id);
  return useMemo(
    () => (
      <>
        <ChartList
          runIds={selected}
          names={runNames.peek()}
          paths={paths}
          projectMetrics={columns?.metrics.length}
          fields={columns?.config.map((column) => column.field)}
          menu={<ViewMenu projectId={project} id={id} shown={shown} />}
          board={
            id === undefined
              ? undefined
              : (props) => <LazyBoard {...props} columns={columns} shown={shown} />
          }
        />
        <LazyViewDialog projectId={project} view={shown.view} metrics={paths ?? []} />
      </>
    ),
    [
      selected.join(),
      names,
      columns,
      paths?.join("\u0000"),
      paths === undefined,
      id,
      shown.view,
      shown.error,
      shown.notFound,
    ],
  );
}

/** The table has many stops for the Tab key. */
function skipToCharts(event: MouseEvent): void {
  event.preventDefault();
  document.getElementById("charts")?.focus();
}

/** The hidden lines without those of deselected runs, which are visible when selected again. */
const stillHidden = (selected: number[]): string =>
  printList(
    hiddenLines.value.filter(
      (key) => !key.startsWith("run ") || selected.includes(Number(key.slice("run ".length))),
    ),
  );
