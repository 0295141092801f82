// The page of a project: its runs on the left, the charts of the selected runs on the right.

import { useCallback, useEffect, useLayoutEffect, useMemo, useState } from "preact/hooks";
import { usePolled } from "../api/polling";
import { getColumns, getProject } from "../api/projects";
import { fetchNames, runNames } from "../api/run-names";
import type { ChoiceBody, Columns, Run } from "../api/types";
import { ChartList } from "../chart/chart-list";
import { useLoggedMetrics } from "../chart/use-logged-metrics";
import { LazyBoard, LazyViewDialog, ViewMenu } from "../panels/view-menu";
import { type ShownView, useRowsOf, useView } from "../panels/view-state";
import { ColumnPicker } from "../table/column-picker";
import { defaultFigures } from "../table/default-columns";
import { RunsTable } from "../table/runs-table";
import { SelectionActions } from "../table/selection-actions";
import { assignColors } from "../ui/colors";
import { PageError } from "../ui/messages";
import { usePageTitle } from "../ui/page-title";
import { Splitter } from "../ui/splitter";
import { go, keepingView } from "../view/address";
import { type Choice, choiceBody, chooseIds, chooseMatching, printSelection } from "../view/choice";
import { useCrumbs } from "../view/crumbs";
import { Link } from "../view/link";
import { MissingProject } from "../view/missing-project";
import {
  choice,
  filter,
  hiddenLines,
  meanBy,
  shelf,
  shownChoice,
  viewId,
} from "../view/parameters";
import { printList } from "../view/parsing";
import { viewTable } from "../view/table-columns";
import { useChosenRuns } from "../view/use-chosen-runs";
import { FilterForm } from "./filter-form";
import { GroupBySelect } from "./group-by-select";
import { KeptRuns, TrashHead } from "./kept-runs";
import { MissingRuns } from "./missing-runs";

// By default, as many of the newest runs are shown as have different colours.
const NEWEST = 8;
// Of more chosen runs, only so many have lines of their own.
const MAX_LINES = 200;

export function ProjectPage({ id }: { id: number }) {
  const [changes, setChanges] = useState(0);
  const { data: project, error, notFound } = usePolled(() => getProject(id), 3000, [id, changes]);
  const isTrash = shelf.value === "trash";
  usePageTitle(isTrash ? "Trash" : undefined, project?.name);
  useCrumbs(id, project?.name, isTrash ? "Trash" : undefined);
  const { data: columns } = usePolled(() => getColumns(id), 5000, [id]);
  const figures = useMemo(() => (columns ? defaultFigures(columns) : []), [columns]);
  const [newest, onNewestRuns] = useNewestRuns();
  const runs = useRunsOfPage(id, newest);
  const { chosen, drawn, choice: shown } = runs;
  assignColors(drawn);
  useEffect(() => {
    void fetchNames(drawn);
  }, [drawn.join()]);
  const isEmpty = runs.areKnown && chosen.length === 0;
  const body = choiceBody(id, meanBy.value ? shown : chooseIds(drawn));
  const paths = useLoggedMetrics(isEmpty ? undefined : body, columns, project?.total_runs);
  const view = useView(id, viewId.value);
  const areRowsKnown = useRowsOf(viewId.value, view);
  // Without runs that could be selected, the table says what to do.
  const hasNothing = isEmpty && shown.isDefault && columns?.metrics.length !== 0;
  const shownPaths = runs.areKnown && !hasNothing ? paths : undefined;
  const charts = useCharts(id, runs, body, shownPaths, columns, view);
  const onChange = () => setChanges((count) => count + 1);
  if (notFound && !project) return <MissingProject />;
  if (notFound) {
    return (
      <PageError>
        This project has been deleted. <Link to={{}}>← Projects</Link>
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
        <h1>
          {isTrash && "Trash of "}
          {project?.name ?? "…"}
        </h1>
        {isTrash && <TrashHead project={project} onChange={onChange} />}
        <FilterForm projectId={id} columns={columns} />
        <div class="tools">
          <GroupBySelect columns={columns} />
          <ColumnPicker available={columns} />
          <Link
            to={keepingView({ project: id, view: "sweep" })}
            title="All matching runs: importance of parameters, contour and scatter"
          >
            Analyse
          </Link>
        </div>
        <KeptRuns project={project} />
        <MissingRuns choice={shown} />
        <RunsTable
          projectId={id}
          project={project}
          choice={shown}
          chosen={chosen}
          drawn={drawn}
          onNewestRuns={onNewestRuns}
          areRowsKnown={areRowsKnown}
          changes={changes}
          figures={figures}
          onChoose={(next) => go({ ...printSelection(next), hide: stillHidden(next) })}
        />
        <SelectionActions projectId={id} choice={shown} chosen={chosen} onChange={onChange} />
      </section>
      <Splitter storageKey="runs-width" label="Width of the table" />
      {charts}
    </div>
  );
}

interface PageRuns {
  choice: Choice;
  /** The row ids of the shown runs, and of those that have lines of their own. */
  chosen: number[];
  drawn: number[];
  /** Whether they are read. */
  areKnown: boolean;
}

/** The runs that the user has chosen; by default all if they are grouped, else the newest. */
function useRunsOfPage(projectId: number, newest: number[] | undefined): PageRuns {
  // What was shown by default on the page that led here is not a choice.
  const selection = choice.value?.isDefault ? undefined : choice.value;
  const groupsAll = selection === undefined && meanBy.value !== "";
  const newestRuns: Choice = { ...chooseIds(newest ?? []), isDefault: true };
  const byDefault: Choice = groupsAll
    ? { ...chooseMatching(filter.value), isDefault: true }
    : newestRuns;
  const wanted = selection ?? byDefault;
  const { ids, error } = useChosenRuns(projectId, wanted);
  // The table says what is wrong with its filter, and ignores it.
  const isUnreadable = groupsAll && error !== "";
  const shown = isUnreadable ? newestRuns : wanted;
  const known = isUnreadable ? newest : ids;
  const chosen = known ?? [];
  useEffect(() => {
    shownChoice.value = shown;
  }, [JSON.stringify(shown)]);
  useEffect(
    () => () => {
      shownChoice.value = undefined;
    },
    [],
  );
  return {
    choice: shown,
    chosen,
    drawn: chosen.slice(0, MAX_LINES),
    areKnown: known !== undefined && (groupsAll || (selection ?? newest) !== undefined),
  };
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
  { chosen, drawn }: PageRuns,
  body: ChoiceBody,
  paths: string[] | undefined,
  columns: Columns | undefined,
  shown: ShownView,
) {
  const names = drawn.map((id) => runNames.value.get(id)).join("\u0000");
  const id = viewId.value;
  const table = shown.view?.layout.table;
  useLayoutEffect(() => {
    viewTable.value = table;
    return () => {
      viewTable.value = undefined;
    };
  }, [JSON.stringify(table)]);
  return useMemo(
    () => (
      <>
        <ChartList
          runIds={drawn}
          chosen={chosen}
          choice={body}
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
      chosen.join(),
      JSON.stringify(body),
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

/** The hidden lines without those of runs left out, which are visible when chosen again. */
const stillHidden = ({ ids, filters, except }: Choice): string =>
  printList(
    hiddenLines.value.filter((key) => {
      if (!key.startsWith("run ")) return true;
      const id = Number(key.slice("run ".length));
      return filters.length > 0 ? !except.includes(id) : ids.includes(id);
    }),
  );
