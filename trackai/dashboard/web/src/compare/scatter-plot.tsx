// A scatter plot with a point for each run: a metric against a configuration key or a metric.

import { useState } from "preact/hooks";
import { runColor } from "../ui/colors";
import { Checkbox } from "../ui/controls";
import { useElementWidth } from "../ui/element-width";
import { formatValue, plural } from "../ui/format";
import { keepingView, replaceParameters, textParameter } from "../view/address";
import { Link } from "../view/link";
import { type Axis, makeAxis } from "./axis";
import { type ComparedRun, hoveredRun } from "./compared-runs";
import { FieldSelect } from "./field-select";
import { fieldTitle } from "./fields";
import { HoveredRun } from "./hovered-run";
import {
  BOTTOM,
  HEIGHT,
  LEFT,
  makePoints,
  nearestPoint,
  RIGHT,
  type ScatterPoint,
  TOP,
  xOf,
  yOf,
} from "./scatter-layout";
import { isLogAxis, type ScatterAxis, setLogAxis } from "./scatter-log";

const logParameter = textParameter("slog");
// With more runs than these, points are smaller.
const MANY_RUNS = 60;
// How much further than its point a run can be clicked.
const CLICK_MARGIN = 7;

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
  const [box, width] = useElementWidth();
  const [underPointer, setUnderPointer] = useState<number>();
  const log = (which: ScatterAxis) => isLogAxis(logParameter.value, which);
  const tickCount = Math.max(2, width / 80);
  const xAxis = makeAxis(runs, x, { tickCount, log: log("x"), margin: true });
  const yAxis = makeAxis(runs, y, { tickCount: 6, log: log("y"), margin: true });
  const points = makePoints(runs, xAxis, yAxis, width);
  // On top, so that a click opens the run that is named. Not for the focus, which moving would end.
  const isOnTop = (point: ScatterPoint) => Number(point.run.id === underPointer);
  points.sort((left, right) => isOnTop(left) - isOnTop(right));
  const radius = runs.length > MANY_RUNS ? 4 : 5.5;
  const onPointer = (event: PointerEvent) => {
    const area = (event.currentTarget as Element).getBoundingClientRect();
    const [left, top] = [event.clientX - area.left, event.clientY - area.top];
    const nearest = nearestPoint(points, left, top, radius + CLICK_MARGIN)?.run.id;
    hoveredRun.value = nearest;
    setUnderPointer(nearest);
  };
  const brushedIds = new Set(brushed.map((run) => run.id));
  return (
    <section class="panel-box" aria-label="Scatter plot">
      <header>
        <h2>Scatter</h2>
        <AxisControls which="x" axis={xAxis} options={options} />
        <AxisControls which="y" axis={yAxis} options={options} />
      </header>
      <div
        ref={box}
        onPointerLeave={() => {
          hoveredRun.value = undefined;
        }}
      >
        <svg
          class="scatter"
          width={width}
          height={HEIGHT}
          viewBox={`0 0 ${width} ${HEIGHT}`}
          role="group"
          aria-label={`${plural(points.length, "run")}: ${fieldTitle(y)} over ${fieldTitle(x)}`}
          onPointerMove={onPointer}
          onPointerDown={onPointer}
        >
          <Grid xAxis={xAxis} yAxis={yAxis} width={width} />
          {points.map((point) => (
            <RunPoint
              key={point.run.id}
              point={point}
              to={keepingView({ run: point.run.id, project: projectId })}
              label={describeRun(point.run, [x, y])}
              radius={radius}
              isUnderPointer={point.run.id === underPointer}
              isBrushed={brushedIds.has(point.run.id)}
            />
          ))}
        </svg>
      </div>
      <HoveredRun runs={runs} fields={[x, y]} />
      {points.length < runs.length && (
        <p class="faint">
          {runs.length - points.length} of {plural(runs.length, "run")} not shown: no value, or not
          above 0 on a log scale.
        </p>
      )}
    </section>
  );
}

function describeRun(run: ComparedRun, fields: string[]): string {
  const values = fields.map((field) => `${fieldTitle(field)} ${formatValue(run.values[field])}`);
  return `${run.name}: ${values.join(", ")}`;
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

function Grid({ xAxis, yAxis, width }: { xAxis: Axis; yAxis: Axis; width: number }) {
  const end = width - RIGHT;
  return (
    <>
      {yAxis.ticks.map(({ position, label }) => (
        <g key={label}>
          <line x1={LEFT} x2={end} y1={yOf(yAxis, position)} y2={yOf(yAxis, position)} />
          <text x={LEFT - 7} y={yOf(yAxis, position) + 4} text-anchor="end">
            {label.slice(0, 9)}
          </text>
        </g>
      ))}
      {xAxis.ticks.map(({ position, label }) => {
        const x = xOf(xAxis, position, width);
        return (
          <g key={label}>
            <line x1={x} x2={x} y1={TOP} y2={HEIGHT - BOTTOM} />
            <text x={x} y={HEIGHT - BOTTOM + 16} text-anchor="middle">
              {label.slice(0, 12)}
            </text>
          </g>
        );
      })}
      <text class="name" x={(LEFT + end) / 2} y={HEIGHT - 8} text-anchor="middle">
        {fieldTitle(xAxis.field)}
        {xAxis.log && " (log)"}
      </text>
    </>
  );
}

interface PointProps {
  point: ScatterPoint;
  to: ReturnType<typeof keepingView>;
  label: string;
  radius: number;
  isUnderPointer: boolean;
  isBrushed: boolean;
}

function RunPoint({ point, to, label, radius, isUnderPointer, isBrushed }: PointProps) {
  const { run, x, y } = point;
  const isHovered = run.id === hoveredRun.value;
  const color = runColor(run.id);
  const onFocus = () => {
    hoveredRun.value = run.id;
  };
  return (
    <Link to={to} aria-label={label} onFocus={onFocus}>
      {isUnderPointer && <circle class="reach" cx={x} cy={y} r={radius + CLICK_MARGIN} />}
      <circle
        cx={x}
        cy={y}
        r={isHovered ? radius + 3 : radius}
        fill={color}
        fill-opacity={isBrushed ? 0.85 : 0.12}
        stroke={isHovered ? "var(--ink)" : color}
        stroke-width={isHovered ? 2 : 1}
      />
    </Link>
  );
}
