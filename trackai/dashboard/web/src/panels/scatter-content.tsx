// A point for each run.

import type { ScatterPanel } from "../api/views";
import { useComparedRuns } from "../compare/compared-runs";
import { ScatterGraph } from "../compare/scatter-graph";
import { ErrorMessage, Loading } from "../ui/messages";
import { projectId } from "../view/parameters";

// The line below the graph that names a run.
const NOTE = 40;

export function ScatterContent({ panel, runIds }: { panel: ScatterPanel; runIds: number[] }) {
  const { x, y, log_x, log_y, height } = panel;
  const { runs, error } = useComparedRuns(runIds, [...new Set([x, y])]);
  if (!runs) return error ? <ErrorMessage message={error} /> : <Loading />;
  return (
    <>
      <ErrorMessage message={error} />
      <ScatterGraph
        projectId={projectId.value}
        runs={runs}
        brushed={runs}
        x={{ field: x, log: log_x ?? undefined }}
        y={{ field: y, log: log_y ?? undefined }}
        height={Math.max(110, height - NOTE)}
      />
    </>
  );
}
