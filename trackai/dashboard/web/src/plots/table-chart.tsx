// The chart of a logged table, of one run or of several.

import { useState } from "preact/hooks";
import { dashOf, type LineStyle, runStyle, slotStyle } from "../ui/colors";
import { Options, Select } from "../ui/controls";
import { plural } from "../ui/format";
import { Swatch } from "../ui/swatch";
import { BarPlot } from "./bar-plot";
import {
  areaUnder,
  type BarChart,
  type Chart,
  type ChartTable,
  type Curve,
  type CurveChart,
  chartKind,
  MAX_CLASSES,
  type MatrixChart,
  readChart,
} from "./chart-table";
import { CurvePlot, type StyledCurve } from "./curve-plot";
import { MatrixPlot, type MatrixUnit } from "./matrix-plot";
import "../styles/drawings.css";

/** The table of a run; without a run, the only one. */
export interface RunTable {
  run?: { id: number; name: string };
  table: ChartTable;
}

interface Drawn<C extends Chart = Chart> {
  run: RunTable["run"];
  chart: C;
}

export function TableChart({ tables, label }: { tables: RunTable[]; label: string }) {
  const drawn = tables.flatMap(({ run, table }) => {
    const chart = readChart(table);
    return chart ? [{ run, chart }] : [];
  });
  const missing = tables.length - drawn.length;
  const [first] = drawn;
  const kind = tables[0] && chartKind(tables[0].table);
  const problem = first
    ? `${plural(missing, "chart")} cannot be drawn: a column is missing, or the kind is unknown.`
    : `The dashboard does not draw charts of the kind "${kind}", or the table lacks a column.`;
  const leftOut = drawn.reduce(
    (sum, { chart }) => sum + (chart.kind === "matrix" ? 0 : chart.leftOut),
    0,
  );
  return (
    <div class="table-chart">
      {first?.chart.title && <h3>{first.chart.title}</h3>}
      <Curves drawn={drawn.filter(isOf("curves"))} label={label} />
      <Bars drawn={drawn.filter(isOf("bars"))} />
      <Matrices drawn={drawn.filter(isOf("matrix"))} />
      {missing > 0 && <p class="problem">{problem}</p>}
      {leftOut > 0 && (
        <p class="faint">{plural(leftOut, "row")} without a finite number not drawn.</p>
      )}
    </div>
  );
}

const isOf =
  <K extends Chart["kind"]>(kind: K) =>
  (each: Drawn): each is Drawn<Extract<Chart, { kind: K }>> =>
    each.chart.kind === kind;

function Curves({ drawn, label }: { drawn: Drawn<CurveChart>[]; label: string }) {
  const [first] = drawn;
  if (!first) return null;
  const { x, y, rates, isLine } = first.chart;
  const curves = drawn.flatMap(({ run, chart }) =>
    chart.curves.map((curve, index): StyledCurve => {
      const name = [run?.name, curve.name].filter(Boolean).join(": ") || y;
      return {
        label: name,
        style: styleOf(run, index),
        points: curve.points,
        note: noteOf(chart, curve),
      };
    }),
  );
  return (
    <CurvePlot
      label={label}
      curves={curves}
      isLine={isLine}
      x={x}
      y={y}
      range={rates && [0, 1]}
      diagonal={rates === "roc"}
    />
  );
}

/** Runs have colours, and their lines dashes; the lines of a single run have colours. */
const styleOf = (run: RunTable["run"], index: number): LineStyle =>
  run ? { color: runStyle(run.id).color, dash: dashOf(index) } : slotStyle(index);

const noteOf = ({ rates }: CurveChart, { points }: Curve): string | undefined =>
  rates === "roc" ? `AUC ${areaUnder(points).toFixed(3)}` : undefined;

const Bars = ({ drawn }: { drawn: Drawn<BarChart>[] }) => (
  <div class="beside">
    {drawn.map(({ run, chart }, index) => (
      <div key={index}>
        <RunTitle run={run} />
        <BarPlot chart={chart} color={run ? runStyle(run.id).color : slotStyle(0).color} />
      </div>
    ))}
  </div>
);

function Matrices({ drawn }: { drawn: Drawn<MatrixChart>[] }) {
  const [unit, setUnit] = useState<MatrixUnit>("count");
  if (drawn.length === 0) return null;
  const highest = Math.max(
    ...drawn.flatMap(({ chart }) => chart.counts.map((row) => Math.max(...row))),
  );
  const isTooLarge = drawn.some(({ chart }) => chart.labels.length > MAX_CLASSES);
  if (isTooLarge) {
    return <p class="problem">A matrix of more than {MAX_CLASSES} classes is not drawn.</p>;
  }
  return (
    <>
      <Select
        label="Cells"
        value={unit}
        onSelect={(value) => setUnit(value === "share" ? "share" : "count")}
      >
        <Options
          values={["count", "share"]}
          text={(value) => (value === "share" ? "share of the actual class" : "number of samples")}
        />
      </Select>
      <div class="beside">
        {drawn.map(({ run, chart }, index) => (
          <div key={index}>
            <RunTitle run={run} />
            <MatrixPlot chart={chart} unit={unit} highest={highest} />
          </div>
        ))}
      </div>
    </>
  );
}

const RunTitle = ({ run }: { run: RunTable["run"] }) =>
  run ? (
    <p class="run-title">
      <Swatch {...runStyle(run.id)} />
      {run.name}
    </p>
  ) : null;
