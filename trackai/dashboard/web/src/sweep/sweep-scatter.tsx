// The target of each run over a parameter.

import { useMemo } from "preact/hooks";
import { makeAxis } from "../compare/axis";
import type { ComparedRun } from "../compare/compared-runs";
import { FieldSelect } from "../compare/field-select";
import { ScatterGraph } from "../compare/scatter-graph";
import { gradientColor } from "../ui/colors";
import { isDark } from "../ui/theme";
import { replaceParameters } from "../view/address";
import { targetName } from "./target";

interface Props {
  projectId: number;
  runs: ComparedRun[];
  brushed: ComparedRun[];
  options: string[];
  x: string;
  target: string;
}

export function SweepScatter({ projectId, runs, brushed, options, x, target }: Props) {
  const dark = isDark.value;
  const colorOf = useMemo(() => {
    const axis = makeAxis(runs, target, { tickCount: 5 });
    return (run: ComparedRun) => gradientColor(axis.position(run) ?? 0);
  }, [runs, target, dark]);
  return (
    <section class="panel-box" aria-label="Scatter plot">
      <header>
        <h2>Scatter of {targetName(target)}</h2>
        <FieldSelect
          label="Over"
          selected={x}
          options={options}
          onSelect={(field) => replaceParameters({ sx: field })}
        />
      </header>
      <ScatterGraph
        projectId={projectId}
        runs={runs}
        brushed={brushed}
        x={{ field: x, log: undefined }}
        y={{ field: target, log: undefined }}
        colorOf={colorOf}
      />
    </section>
  );
}
