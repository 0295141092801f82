// The charts of the selected runs, in sections by the first part of their names.

import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { usePolled } from "../api/polling";
import { listRunningIds } from "../api/runs";
import type { ChoiceBody } from "../api/types";
import { fullScreenPath, meanBy, metricSearch, projectId, runId } from "../view/parameters";
import { useScrollPosition } from "../view/scroll-positions";
import { Card } from "./card";
import { ChartTools, MetricSearch } from "./chart-toolbar";
import { useExports } from "./export-menu";
import { FullScreen } from "./full-screen";
import { GroupLegend } from "./group-legend";
import { orderMetrics } from "./metric-order";
import { searchMetrics } from "./metric-sections";
import type { ChartProps } from "./plot";
import { ResetButtons } from "./reset-buttons";
import { SectionList } from "./section-list";

interface Props {
  /** The runs that are drawn one by one, and all chosen runs. */
  runIds: number[];
  chosen: number[];
  choice: ChoiceBody;
  names: Map<number, string>;
  /** The metrics of the runs; undefined while they are not known. */
  paths: string[] | undefined;
  /** The number of metrics of all runs of the project. */
  projectMetrics?: number;
  /** The fields by which means can be shown. */
  fields?: string[];
  /** A menu beside the tools, and panels in place of a chart for each metric. */
  menu?: ComponentChildren;
  board?: (props: BoardProps) => ComponentChildren;
}

export interface BoardProps extends Omit<ChartProps, "path" | "series"> {
  tools: ComponentChildren;
}

export function ChartList(props: Props) {
  const { runIds, chosen, choice, names, paths, projectMetrics = 0, fields } = props;
  const { menu, board } = props;
  const { data: running } = usePolled(() => listRunningIds(projectId.value), 2000, [
    projectId.value,
  ]);
  const runningIds = running && withoutOthers(running, chosen);
  const lastPattern = useRef(/(?:)/);
  const search = searchMetrics(orderMetrics(paths ?? []), metricSearch.value, lastPattern.current);
  lastPattern.current = search.pattern;
  useExports();
  const hasRuns = runIds.length > 0;
  const box = useRef<HTMLElement>(null);
  useScrollPosition(box, `charts ${runId.value ?? ""}`, paths !== undefined && hasRuns);
  const chartProps = { runIds, chosen, choice, names, running: runningIds };
  const tools = <ChartTools fields={runIds.length > 1 ? fields : undefined} />;
  const fullPath = fullScreenPath.value;
  return (
    <section class="charts" id="charts" tabIndex={-1} aria-label="Charts" ref={box}>
      <form class="tools" onSubmit={(event) => event.preventDefault()}>
        {!board && (
          <MetricSearch
            matches={search.paths.length}
            total={paths?.length ?? 0}
            problem={search.problem}
          />
        )}
        {menu}
        {tools}
        {runIds.length > 1 && meanBy.value && <GroupLegend choice={choice} />}
        <p class="undo">
          <ResetButtons runIds={runIds} />
        </p>
      </form>
      {board?.({ ...chartProps, tools })}
      {paths && !board && (
        <EmptyCharts
          hasRuns={hasRuns}
          metrics={paths.length}
          projectMetrics={projectMetrics}
          matches={search.paths.length}
        />
      )}
      {paths && hasRuns && !board && (
        <SectionList
          paths={search.paths}
          card={(path) => <Card key={path} path={path} {...chartProps} />}
        />
      )}
      {fullPath !== undefined && hasRuns && !board && paths?.includes(fullPath) && (
        <FullScreen key={fullPath} path={fullPath} {...chartProps} tools={tools} />
      )}
    </section>
  );
}

function withoutOthers(ids: number[], chosen: number[]): number[] {
  const known = new Set(chosen);
  return ids.filter((id) => known.has(id));
}

interface EmptyProps {
  hasRuns: boolean;
  metrics: number;
  projectMetrics: number;
  matches: number;
}

/** Why the list is empty, if it is. */
function EmptyCharts({ hasRuns, metrics, projectMetrics, matches }: EmptyProps) {
  const hasNone = metrics === 0;
  return (
    <>
      {hasNone && projectMetrics > 0 && hasRuns && (
        <p class="empty">The selected runs have no metrics to plot.</p>
      )}
      {hasNone && projectMetrics === 0 && (
        <p class="empty">No metrics yet. Log some with {'run.log({"loss": 0.5})'}.</p>
      )}
      {!hasNone && matches === 0 && <p class="empty">No metrics match.</p>}
      {!hasRuns && projectMetrics > 0 && <p class="empty">Select runs to see their charts.</p>}
    </>
  );
}
