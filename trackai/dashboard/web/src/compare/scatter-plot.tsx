// A scatter plot with a point for each run: a metric against a configuration key or a metric.

import { Checkbox } from "../ui/controls";
import { replaceParameters, textParameter } from "../view/address";
import { type Axis, makeAxis } from "./axis";
import type { ComparedRun } from "./compared-runs";
import { FieldSelect } from "./field-select";
import { ScatterGraph } from "./scatter-graph";
import { isLogAxis, type ScatterAxis, setLogAxis } from "./scatter-log";

const logParameter = textParameter("slog");

interface Props {
  projectId: number;
  runs: ComparedRun[];
  /** The runs within the brushes; the others are shown faintly. */
  brushed: ComparedRun[];
  options: string[];
  x: string;
  y: string;
}

export function ScatterPlot({ projectId, runs, brushed, options, x, y }: Props) {
  const log = (which: ScatterAxis) => isLogAxis(logParameter.value, which);
  const axisOf = (field: string, which: ScatterAxis) =>
    makeAxis(runs, field, { tickCount: 2, log: log(which) });
  return (
    <section class="panel-box" aria-label="Scatter plot">
      <header>
        <h2>Scatter</h2>
        <AxisControls which="x" axis={axisOf(x, "x")} options={options} />
        <AxisControls which="y" axis={axisOf(y, "y")} options={options} />
      </header>
      <ScatterGraph
        projectId={projectId}
        runs={runs}
        brushed={brushed}
        x={{ field: x, log: log("x") }}
        y={{ field: y, log: log("y") }}
      />
    </section>
  );
}

interface ControlsProps {
  which: ScatterAxis;
  axis: Axis;
  options: string[];
}

function AxisControls({ which, axis, options }: ControlsProps) {
  const setLog = (isLog: boolean) =>
    replaceParameters({ slog: setLogAxis(logParameter.value, which, isLog) });
  return (
    <>
      <FieldSelect
        label={which.toUpperCase()}
        selected={axis.field}
        options={options}
        onSelect={(field) => replaceParameters({ [`s${which}`]: field })}
      />
      <Checkbox checked={axis.log} onChange={setLog}>
        Log {which}
      </Checkbox>
    </>
  );
}
