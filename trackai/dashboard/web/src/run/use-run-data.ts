// The data of the run page.

import { listFilePaths } from "../api/media";
import { usePolled } from "../api/polling";
import { getColumns, getProject } from "../api/projects";
import { getConfig, getDetails, getFigures, getMetricNames, getRun } from "../api/runs";
import type { Figures, FilePath, ProjectSummary, Run, RunDetails } from "../api/types";
import { inheritedPaths, type RunPaths, runPaths } from "./run-paths";

const POLL_STATE_MS = 2000;
const POLL_MS = 3000;
// Finished runs change only when they are resumed or edited.
const POLL_FINISHED_MS = 30_000;

export interface RunData {
  run: Run | undefined;
  project: ProjectSummary | undefined;
  config: Record<string, unknown> | undefined;
  figures: Figures[] | undefined;
  details: RunDetails | undefined;
  files: FilePath[] | undefined;
  paths: RunPaths;
  /** Whether all paths are known. */
  isComplete: boolean;
  error: string | undefined;
  notFound: boolean | undefined;
  refresh: () => void;
}

export function useRunData(id: number): RunData {
  const { data: run, error, notFound, refresh } = usePolled(() => getRun(id), POLL_STATE_MS, [id]);
  const { data: project } = usePolled(
    async () => (run ? getProject(run.project_id) : undefined),
    0,
    [run?.project_id],
  );
  const running = run?.state === "running";
  const interval = run && !running ? POLL_FINISHED_MS : POLL_MS;
  const { data: config } = usePolled(() => getConfig(id), interval, [id, running]);
  const { data: figures } = usePolled(() => getFigures(id), interval, [id, running]);
  const { data: names } = usePolled(() => getMetricNames(id), interval, [id, running]);
  const { data: details } = usePolled(() => getDetails(id), interval, [id, running]);
  const { data: files } = usePolled(() => listFilePaths(id, ""), interval, [id, running]);
  const inherited = inheritedPaths(figures, names);
  const hasInherited = inherited.length > 0;
  const { data: columns } = usePolled(
    async () => (hasInherited && run ? getColumns(run.project_id) : undefined),
    0,
    [id, hasInherited],
  );
  return {
    run,
    project,
    config,
    figures,
    details,
    files,
    paths: runPaths(figures ?? [], inherited, columns),
    isComplete: figures !== undefined && names !== undefined,
    error,
    notFound,
    refresh,
  };
}
