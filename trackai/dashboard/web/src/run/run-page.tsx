// The page of a run: its summary on the left, what it has logged in tabs on the right.

import { renameRun, runName } from "../api/runs";
import { mayChange } from "../api/session";
import type { Run } from "../api/types";
import { ChartList } from "../chart/chart-list";
import { EditableName } from "../ui/editable-name";
import { preload, useModule, usePreloaded } from "../ui/lazy-module";
import { Loading, PageError } from "../ui/messages";
import { usePageTitle } from "../ui/page-title";
import { Splitter } from "../ui/splitter";
import { type Tab, Tabs } from "../ui/tabs";
import { compareNatural } from "../ui/values";
import { go, keepingView, textParameter } from "../view/address";
import { useCrumbs } from "../view/crumbs";
import { Link } from "../view/link";
import { projectId } from "../view/parameters";
import { ConfigSection } from "./config-section";
import { EnvironmentSection } from "./environment-section";
import { KeptRun } from "./kept-run";
import { MetricsSection } from "./metrics-section";
import { isNumeric, type RunPaths } from "./run-paths";
import { RunSummary } from "./run-summary";
import { type RunData, useRunData } from "./use-run-data";

const tabParameter = textParameter("tab");
const loadOtherTabs = () => import("./other-tabs");
// A link to such a tab loads it with the data of the run.
if (tabParameter.peek()) void preload(loadOtherTabs);

export function RunPage({ id }: { id: number }) {
  const data = useRunData(id);
  const { run, project, error, notFound } = data;
  usePageTitle(run && runName(run), project?.name);
  useCrumbs(run?.project_id ?? projectId.value, project?.name, run && runName(run));
  if (notFound) {
    return (
      <PageError>
        {run ? "This run has been deleted." : "Run not found. It may have been deleted."}{" "}
        <BackLink project={run?.project_id ?? projectId.value} />
      </PageError>
    );
  }
  if (error && !run) return <PageError>{error}</PageError>;
  if (!run) return <Loading />;
  return (
    <div class="project run">
      <Side run={run} data={data} />
      <Splitter storageKey="run-width" label="Width of the summary" />
      <RunTabs run={run} data={data} />
    </div>
  );
}

function BackLink({ project }: { project: number | undefined }) {
  return project === undefined ? (
    <Link to={{}}>← Projects</Link>
  ) : (
    <Link to={keepingView({ project })}>← Back to project</Link>
  );
}

interface Props {
  run: Run;
  data: RunData;
}

function Side({ run, data }: Props) {
  const name = runName(run);
  const numeric = (data.figures ?? []).filter(isNumeric);
  const rename = (newName: string) => renameRun(run.id, newName).then(data.refresh);
  return (
    <section class="side" aria-label="Run">
      <p class="crumb">
        <BackLink project={run.project_id} />
      </p>
      <h1 class="title">
        <EditableName name={name} onRename={mayChange.value ? rename : undefined}>
          <span title={run.run_id}>{name}</span>
        </EditableName>
      </h1>
      <KeptRun run={run} onChange={data.refresh} />
      <RunSummary run={run} details={data.details} onChange={data.refresh} />
      <MetricsSection
        figures={numeric.sort((left, right) => compareNatural(left.axis, right.axis))}
        isEmpty={data.figures?.length === 0}
      />
      <ConfigSection config={data.config} />
      <EnvironmentSection facts={run.environment} />
    </section>
  );
}

function RunTabs({ run, data }: Props) {
  const { paths } = data;
  usePreloaded(loadOtherTabs);
  const tabs: Tab[] = [
    { id: "charts", name: "Charts", count: paths.charts.length },
    { id: "system", name: "System", count: paths.system.length },
    { id: "logs", name: "Logs", count: paths.texts.length },
    { id: "histograms", name: "Histograms", count: paths.histograms.length },
    { id: "files", name: "Files", count: data.files?.length },
  ];
  const hasOnlySystem = data.isComplete && paths.charts.length === 0 && paths.system.length > 0;
  const defaultTab = hasOnlySystem ? "system" : "charts";
  const isKnown = tabs.some((tab) => tab.id === tabParameter.value);
  const selected = isKnown ? tabParameter.value : defaultTab;
  return (
    <Tabs
      tabs={tabs}
      selected={selected}
      onSelect={(tab) => go({ tab: tab === defaultTab ? undefined : tab })}
    >
      <TabContent tab={selected} run={run} paths={paths} isComplete={data.isComplete} />
    </Tabs>
  );
}

interface TabContentProps {
  tab: string;
  run: Run;
  paths: RunPaths;
  isComplete: boolean;
}

function TabContent({ tab, run, paths, isComplete }: TabContentProps) {
  const ids = [run.id];
  const names = new Map([[run.id, runName(run)]]);
  const chartProps = { runIds: ids, chosen: ids, choice: { run_ids: ids }, names };
  if (tab === "charts") {
    return <ChartList key={tab} {...chartProps} paths={isComplete ? paths.charts : undefined} />;
  }
  if (tab === "system") {
    return paths.system.length > 0 ? (
      <ChartList key={tab} {...chartProps} paths={paths.system} />
    ) : (
      <p class="empty">No system metrics. Log some with {'run.log_system({"gpu": 0.9})'}.</p>
    );
  }
  return <OtherTab tab={tab} run={run} paths={paths} />;
}

function OtherTab({ tab, run: { id, state }, paths }: Omit<TabContentProps, "isComplete">) {
  const { module, error } = useModule(loadOtherTabs);
  if (!module) return error ? <PageError>{error}</PageError> : <Loading />;
  const { FilesTab, HistogramsTab, LogsTab } = module;
  const running = state === "running";
  if (tab === "logs") return <LogsTab runId={id} paths={paths.texts} running={running} />;
  if (tab === "histograms") {
    return <HistogramsTab runId={id} paths={paths.histograms} running={running} />;
  }
  return <FilesTab runId={id} running={running} />;
}
