// What all runs that match the filter say about a metric: which parameters matter, and how.

import { useMemo } from "preact/hooks";
import { usePolled } from "../api/polling";
import { getColumns, getProject } from "../api/projects";
import type { Columns } from "../api/types";
import { brushedRuns, parseBrushes, printBrush } from "../compare/brush";
import type { ComparedRun } from "../compare/compared-runs";
import { defaultAxes, defaultScatterX, defaultTarget } from "../compare/default-fields";
import { ParallelPlot } from "../compare/parallel-plot";
import { Options, Select } from "../ui/controls";
import { grouped, plural } from "../ui/format";
import { ErrorMessage, Loading, PageError } from "../ui/messages";
import { usePageTitle } from "../ui/page-title";
import { keepingView, replaceParameters, textParameter } from "../view/address";
import { useCrumbs } from "../view/crumbs";
import { FIGURES } from "../view/figures";
import { aboutTyped } from "../view/filter-text";
import { Link } from "../view/link";
import { MissingProject } from "../view/missing-project";
import { filter, filterText, shelf } from "../view/parameters";
import { parseList, printList } from "../view/parsing";
import { ContourPanel } from "./contour-panel";
import { ImportancePanel } from "./importance-panel";
import { RangeLinks } from "./range-links";
import { type SweepRuns, useSweepRuns } from "./sweep-runs";
import { SweepScatter } from "./sweep-scatter";
import { DURATION, joinTarget, numericMetrics, splitTarget, targetName } from "./target";
import "../styles/sweep.css";

// Keys that a tracker sets, such as the job type of wandb, are not parameters.
const OWN_KEYS = "_wandb/";
// Of more keys, those that most runs have are read.
const MAX_KEYS = 100;
const MAX_METRICS = 1000;

const targetParameter = textParameter("target");
const axesParameter = textParameter("axes");
const brushParameter = textParameter("brush");
const xParameter = textParameter("sx");
const contourX = textParameter("cx");
const contourY = textParameter("cy");

export function SweepPage({ id }: { id: number }) {
  const { data: project, notFound } = usePolled(() => getProject(id), 0, [id]);
  usePageTitle("Analyse", project?.name);
  useCrumbs(id, project?.name, "Analyse");
  const { data: columns, error: columnsError } = usePolled(() => getColumns(id), 0, [id]);
  const fields = useFields(columns);
  const { sweep, error } = useSweepRuns(id, columns ? fields.requested : [], filter.value);
  if (notFound) return <MissingProject />;
  if (columnsError && !columns) return <PageError>{columnsError}</PageError>;
  return (
    <div class="compare sweep">
      <header>
        <p class="crumb">
          <Link to={keepingView({ project: id })}>← Back to project</Link>
        </p>
        <h1>{sweep ? `Analyse ${plural(sweep.total, "run")}` : "Analyse"}</h1>
        {columns && <TargetSelects metrics={fields.metrics} target={fields.target} />}
      </header>
      <ErrorMessage message={error && aboutTyped(error, filterText.value, shelf.value)} />
      {columns && sweep && <Sweep id={id} sweep={sweep} {...fields} />}
      {!error && !(columns && sweep) && <Loading />}
    </div>
  );
}

interface Fields {
  config: string[];
  metrics: string[];
  target: string;
  requested: string[];
}

function useFields(columns: Columns | undefined): Fields {
  const config = useMemo(() => {
    const keys = (columns?.config ?? []).filter(({ key }) => !key.startsWith(OWN_KEYS));
    const common = [...keys].sort((left, right) => right.runs - left.runs);
    const kept = new Set(common.slice(0, MAX_KEYS));
    return keys.filter((key) => kept.has(key)).map(({ field }) => field);
  }, [columns]);
  const metrics = useMemo(
    () => (columns ? numericMetrics(columns).slice(0, MAX_METRICS) : []),
    [columns],
  );
  const target = targetParameter.value || defaultTarget(metrics);
  const chosen = [xParameter.value, contourX.value, contourY.value];
  // Without a parameter that varies, the panels show the duration.
  const all = [target, DURATION, ...config, ...chosen, ...parseList(axesParameter.value)];
  return { config, metrics, target, requested: [...new Set(all.filter(Boolean))] };
}

function TargetSelects({ metrics, target }: { metrics: string[]; target: string }) {
  const { metric, figure } = splitTarget(target);
  const set = (next: string) => replaceParameters({ target: next });
  const names = [...new Set([...metrics, DURATION, metric])];
  return (
    <p class="kept">
      <Select label="Metric" value={metric} onSelect={(next) => set(joinTarget(next, figure))}>
        <Options values={names} text={(name) => targetName(name).replace(/^last /, "")} />
      </Select>
      {metric.startsWith("metric.") && (
        <Select label="Figure" value={figure} onSelect={(next) => set(joinTarget(metric, next))}>
          <Options values={FIGURES} />
        </Select>
      )}
    </p>
  );
}

interface SweepProps extends Fields {
  id: number;
  sweep: SweepRuns;
}

function Sweep({ id, sweep, config, metrics, target }: SweepProps) {
  const { runs } = sweep;
  const brushText = brushParameter.value;
  const brushes = useMemo(() => parseBrushes(parseList(brushText)), [brushText]);
  const brushed = useMemo(() => brushedRuns(runs, brushes), [runs, brushes]);
  const informative = useMemo(() => defaultAxes(runs, config), [runs, config]);
  const axes = axesParameter.value ? parseList(axesParameter.value) : informative;
  const options = [...new Set([...config, target])];
  if (runs.length === 0) return <p class="empty">No run matches.</p>;
  return (
    <>
      <Coverage sweep={sweep} target={target} />
      {brushes.length > 0 && <RangeLinks id={id} runs={runs} brushed={brushed} brushes={brushes} />}
      <div class="pair">
        <ParallelPlot
          runs={runs}
          brushed={brushed}
          axes={axes.filter((field) => field !== target)}
          target={target}
          brushes={brushes}
          config={config}
          options={[
            target,
            ...metrics.map((metric) => joinTarget(metric, splitTarget(target).figure)),
          ]}
          onAxes={(next) => replaceParameters({ axes: printList(next) })}
          onTarget={(field) => replaceParameters({ target: field })}
          onBrush={(next) => replaceParameters({ brush: printList(next.map(printBrush)) })}
        />
        <ImportancePanel id={id} target={target} />
        <ContourPanel
          projectId={id}
          runs={runs}
          options={config}
          target={target}
          x={contourX.value || informative[0] || DURATION}
          y={contourY.value || informative[1] || informative[0] || DURATION}
        />
        <SweepScatter
          projectId={id}
          runs={runs}
          brushed={brushed}
          options={options}
          x={xParameter.value || defaultScatterX(runs, config)}
          target={target}
        />
      </div>
    </>
  );
}

const LEFT_OUT =
  "grey and at “none” in parallel coordinates, and left out of the contour and the scatter plot.";

/** Which runs are shown, and how many of them have no value. */
function Coverage({ sweep: { runs, total }, target }: { sweep: SweepRuns; target: string }) {
  const counts = useMemo(() => countMissing(runs, target), [runs, target]);
  const problems = [
    counts.missing > 0 && `${plural(counts.missing, "run")} without a value`,
    counts.notFinite > 0 && `${plural(counts.notFinite, "run")} with NaN or an infinity`,
  ].filter(Boolean);
  return (
    <p class="faint" role="status">
      {filterText.value ? `Runs that match ${filterText.value}: ` : "All runs of the project: "}
      {total > runs.length && `the newest ${grouped(runs.length)} of `}
      {plural(total, "run")}, judged by their {targetName(target)}.{" "}
      {problems.length > 0 && `${problems.join(", ")}: ${LEFT_OUT}`}
    </p>
  );
}

function countMissing(runs: ComparedRun[], target: string) {
  const values = runs.map((run) => run.values[target]);
  const missing = values.filter((value) => value === null || value === undefined).length;
  const notFinite = values.filter((value) => /^-?(NaN|Infinity)$/.test(String(value))).length;
  return { missing, notFinite };
}
