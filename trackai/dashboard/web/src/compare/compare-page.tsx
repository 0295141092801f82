// The compare page: how configuration and results relate, and where the runs differ.

import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { usePolled } from "../api/polling";
import { getColumns, getProject } from "../api/projects";
import type { Columns } from "../api/types";
import { assignColors } from "../ui/colors";
import { grouped, plural } from "../ui/format";
import { Loading, missingRunsText, PageError } from "../ui/messages";
import { usePageTitle } from "../ui/page-title";
import { go, keepingView, replaceParameters, textParameter } from "../view/address";
import { chooseIds, printChoice } from "../view/choice";
import { useCrumbs } from "../view/crumbs";
import { FIGURES } from "../view/figures";
import { Link } from "../view/link";
import { MissingProject } from "../view/missing-project";
import { choice } from "../view/parameters";
import { parseList, printList } from "../view/parsing";
import { useChosenRuns } from "../view/use-chosen-runs";
import { brushedRuns, parseBrushes, printBrush } from "./brush";
import { type ComparedRun, useComparedRuns } from "./compared-runs";
import { defaultAxes, defaultScatterX, defaultTarget } from "./default-fields";
import { DifferencesTable } from "./differences-table";
import { ParallelPlot } from "./parallel-plot";
import { ScatterPlot } from "./scatter-plot";

const MAX_FIELDS = 1000;
const MAX_COMPARED = 1000;
const NO_RUNS = chooseIds([]);

const figureParameter = textParameter("figure", "last");
const targetParameter = textParameter("target");
const axesParameter = textParameter("axes");
const brushParameter = textParameter("brush");
const xParameter = textParameter("sx");
const yParameter = textParameter("sy");

/** The fields that the page shows. */
interface Fields {
  config: string[];
  /** The metrics, and the chosen figure of each. */
  metrics: string[];
  figures: string[];
  figure: string;
  /** The metric that colours the runs. */
  target: string;
}

export function ComparePage({ id }: { id: number }) {
  const { data: project, notFound } = usePolled(() => getProject(id), 0, [id]);
  usePageTitle("Compare", project?.name);
  useCrumbs(id, project?.name, "Compare");
  const { data: columns, error: columnsError } = usePolled(() => getColumns(id), 30_000, [id]);
  const { ids: chosen, error: choiceError } = useChosenRuns(id, choice.value ?? NO_RUNS);
  const ids = (chosen ?? []).slice(0, MAX_COMPARED);
  assignColors(ids);
  const fields = useFields(columns);
  const { runs, error } = useComparedRuns(ids, columns ? requestedFields(fields) : []);
  if (notFound) return <MissingProject />;
  if (choiceError) return <PageError>{choiceError}</PageError>;
  if (!chosen) return <Loading />;
  if (ids.length < 2) return <TooFewRuns project={id} />;
  if (columnsError && !columns) return <PageError>{columnsError}</PageError>;
  if (!runs) return error ? <PageError>{error}</PageError> : <Loading />;
  return (
    <Comparison
      projectId={id}
      runs={runs}
      missing={ids.length - runs.length}
      others={chosen.length - ids.length}
      fields={fields}
      error={error}
    />
  );
}

function useFields(columns: Columns | undefined): Fields {
  const config = useMemo(
    () => (columns?.config ?? []).map(({ field }) => field).slice(0, MAX_FIELDS),
    [columns],
  );
  const metrics = useMemo(() => {
    const numeric = (columns?.metrics ?? []).filter(
      ({ kind }) => kind === "number" || kind === "bool",
    );
    return numeric.map(({ field }) => field).slice(0, MAX_FIELDS);
  }, [columns]);
  const figure = FIGURES.includes(figureParameter.value) ? figureParameter.value : "last";
  const figures = metrics.map((metric) => `${metric}.${figure}`);
  const target = targetParameter.value || defaultTarget(metrics);
  return { config, metrics, figures, figure, target };
}

function requestedFields({ config, figures, target }: Fields): string[] {
  const axes = parseList(axesParameter.value);
  const scatter = [xParameter.value, yParameter.value];
  const all = ["duration", ...config, ...figures, target, ...scatter, ...axes];
  return [...new Set(all.filter(Boolean))];
}

const ProjectLink = ({ id, children }: { id: number; children: ComponentChildren }) => (
  <Link to={keepingView({ project: id })}>{children}</Link>
);

const TooFewRuns = ({ project }: { project: number }) => (
  <div class="empty">
    <p>
      Select at least two runs in <ProjectLink id={project}>the project</ProjectLink>, then click
      Compare.
    </p>
  </div>
);

interface ComparisonProps {
  projectId: number;
  runs: ComparedRun[];
  /** How many of the selected runs do not exist. */
  missing: number;
  /** How many more runs are chosen than are compared. */
  others: number;
  fields: Fields;
  error: string;
}

function Comparison(props: ComparisonProps) {
  const { projectId, runs, missing, others, fields, error } = props;
  const { config, metrics, target } = fields;
  const brushes = parseBrushes(parseList(brushParameter.value));
  const brushed = brushedRuns(runs, brushes);
  const axes = axesParameter.value ? parseList(axesParameter.value) : defaultAxes(runs, config);
  const options = [
    ...config,
    "duration",
    ...metrics.flatMap((metric) => FIGURES.map((figure) => `${metric}.${figure}`)),
  ];
  return (
    <div class="compare">
      <header>
        <p class="crumb">
          <ProjectLink id={projectId}>← Back to project</ProjectLink>
        </p>
        <h1>Compare {plural(runs.length, "run")}</h1>
        {brushes.length > 0 && <BrushedRuns runs={runs} brushed={brushed} />}
      </header>
      {error && (
        <p class="problem" role="alert">
          {error}
        </p>
      )}
      {others > 0 && (
        <p class="problem" role="status">
          {plural(runs.length, "run")} of {grouped(runs.length + others)} are compared, the newest.
          A filter in the project chooses others.
        </p>
      )}
      {missing > 0 && (
        <p class="problem" role="status">
          {missingRunsText(missing)}
        </p>
      )}
      <div class="pair">
        <ParallelPlot
          runs={runs}
          brushed={brushed}
          axes={axes.filter((field) => field !== target)}
          target={target}
          brushes={brushes}
          config={config}
          options={options}
          onAxes={(next) => replaceParameters({ axes: printList(next) })}
          onTarget={(field) => replaceParameters({ target: field })}
          onBrush={(next) => replaceParameters({ brush: printList(next.map(printBrush)) })}
        />
        <ScatterPlot
          projectId={projectId}
          runs={runs}
          brushed={brushed}
          options={options}
          x={xParameter.value || defaultScatterX(runs, config)}
          y={yParameter.value || target}
        />
      </div>
      <DifferencesTable
        projectId={projectId}
        runs={runs}
        config={config}
        metrics={fields.figures}
        figure={fields.figure}
        figures={FIGURES}
      />
    </div>
  );
}

function BrushedRuns({ runs, brushed }: { runs: ComparedRun[]; brushed: ComparedRun[] }) {
  const keep = () =>
    go({ ...printChoice(chooseIds(brushed.map((run) => run.id))), brush: undefined });
  return (
    <p class="kept">
      <output>
        {brushed.length} of {plural(runs.length, "run")} in range
      </output>
      <button type="button" disabled={brushed.length === 0} onClick={keep}>
        Keep only these
      </button>
      <button type="button" onClick={() => replaceParameters({ brush: undefined })}>
        Clear ranges
      </button>
    </p>
  );
}
