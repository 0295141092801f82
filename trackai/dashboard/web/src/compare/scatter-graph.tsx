// The points of a scatter plot: one for each run, which leads to its page.

import { useMemo, useState } from "preact/hooks";
import { runColor } from "../ui/colors";
import { useElementWidth } from "../ui/element-width";
import { formatValue, plural } from "../ui/format";
import { keepingView } from "../view/address";
import { Link } from "../view/link";
import { type Axis, makeAxis } from "./axis";
import { CanvasPoints } from "./canvas-points";
import { type ComparedRun, hoveredRun } from "./compared-runs";
import { fieldTitle } from "./fields";
import { HoveredRun } from "./hovered-run";
import {
  BOTTOM,
  HEIGHT,
  LEFT,
  makePoints,
  nearestPoint,
  pointBeside,
  RIGHT,
  type ScatterPoint,
  TOP,
  xOf,
  yOf,
} from "./scatter-layout";

// With more runs than these, points are smaller.
const MANY_RUNS = 60;
// With more, a canvas shows them.
const MAX_ELEMENTS = 300;
// How much further than its point a run can be clicked.
const CLICK_MARGIN = 7;
// The distances of two ticks in pixels.
const X_TICKS = 80;
const Y_TICKS = 46;

interface ScatterField {
  field: string;
  /** Undefined for a scale that is chosen from the values. */
  log: boolean | undefined;
}

interface Props {
  projectId: number | undefined;
  runs: ComparedRun[];
  /** The runs within the brushes; the others are shown faintly. */
  brushed: ComparedRun[];
  x: ScatterField;
  y: ScatterField;
  height?: number;
  /** By default, each run has a colour of its own. */
  colorOf?: (run: ComparedRun) => string;
}

const ownColor = (run: ComparedRun): string => runColor(run.id);

export function ScatterGraph({
  projectId,
  runs,
  brushed,
  x,
  y,
  height = HEIGHT,
  colorOf = ownColor,
}: Props) {
  const [box, width] = useElementWidth();
  const [underPointer, setUnderPointer] = useState<number>();
  const { xAxis, yAxis, placed } = usePoints(runs, x, y, width, height);
  const points = [...placed];
  const title = `${fieldTitle(y.field)} over ${fieldTitle(x.field)}`;
  // A drawing of thousands of links would take seconds, and as many stops of the Tab key.
  const isCanvas = points.length > MAX_ELEMENTS;
  const shown = isCanvas ? points.filter((point) => point.run.id === underPointer) : points;
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!isCanvas || step === undefined) return;
    const next = pointBeside(points, underPointer, step)?.run.id;
    hoveredRun.value = next;
    setUnderPointer(next);
    event.preventDefault();
  };
  // On top, so that a click opens the run that is named. Not for the focus, which moving would end.
  const isOnTop = (point: ScatterPoint) => Number(point.run.id === underPointer);
  points.sort((left, right) => isOnTop(left) - isOnTop(right));
  const radius = isCanvas ? 3 : runs.length > MANY_RUNS ? 4 : 5.5;
  const onPointer = (event: PointerEvent) => {
    const area = (event.currentTarget as Element).getBoundingClientRect();
    const [left, top] = [event.clientX - area.left, event.clientY - area.top];
    const nearest = nearestPoint(points, left, top, radius + CLICK_MARGIN)?.run.id;
    hoveredRun.value = nearest;
    setUnderPointer(nearest);
  };
  const brushedIds = new Set(brushed.map((run) => run.id));
  return (
    <>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: a group with keys of its own */}
      <div
        ref={box}
        class="layers"
        role={isCanvas ? "group" : undefined}
        tabIndex={isCanvas ? 0 : undefined}
        aria-label={isCanvas ? `Points of ${title}: arrows move, Tab and Enter open` : undefined}
        onKeyDown={onKeyDown}
        onPointerLeave={() => {
          hoveredRun.value = undefined;
        }}
      >
        {isCanvas && (
          <CanvasPoints
            points={placed}
            brushed={brushed}
            colorOf={colorOf}
            radius={radius}
            width={width}
            height={height}
          />
        )}
        <svg
          class="scatter"
          width={width}
          height={height}
          viewBox={`0 0 ${width} ${height}`}
          role="group"
          aria-label={`${plural(points.length, "run")}: ${title}`}
          onPointerMove={onPointer}
          onPointerDown={onPointer}
        >
          <Grid xAxis={xAxis} yAxis={yAxis} width={width} height={height} />
          {shown.map((point) => (
            <RunPoint
              key={point.run.id}
              point={point}
              to={keepingView({ run: point.run.id, project: projectId })}
              label={describeRun(point.run, [x.field, y.field])}
              radius={radius}
              color={colorOf(point.run)}
              isUnderPointer={point.run.id === underPointer}
              isBrushed={brushedIds.has(point.run.id)}
            />
          ))}
        </svg>
      </div>
      <HoveredRun runs={runs} fields={[x.field, y.field]} />
      {points.length < runs.length && (
        <p class="faint">
          {runs.length - points.length} of {plural(runs.length, "run")} not shown: no value, or not
          above 0 on a log scale.
        </p>
      )}
    </>
  );
}

/** The axes, and the places of the runs: computed again when one of them changes. */
function usePoints(
  runs: ComparedRun[],
  x: ScatterField,
  y: ScatterField,
  width: number,
  height: number,
) {
  const xAxis = useMemo(
    () =>
      makeAxis(runs, x.field, {
        tickCount: Math.max(2, width / X_TICKS),
        log: x.log,
        margin: true,
      }),
    [runs, x.field, x.log, width],
  );
  const yAxis = useMemo(
    () =>
      makeAxis(runs, y.field, {
        tickCount: Math.max(4, (height - TOP - BOTTOM) / Y_TICKS),
        log: y.log,
        margin: true,
      }),
    [runs, y.field, y.log, height],
  );
  const placed = useMemo(
    () => makePoints(runs, xAxis, yAxis, width, height),
    [runs, xAxis, yAxis, width, height],
  );
  return { xAxis, yAxis, placed };
}

function describeRun(run: ComparedRun, fields: string[]): string {
  const values = fields.map((field) => `${fieldTitle(field)} ${formatValue(run.values[field])}`);
  return `${run.name}: ${values.join(", ")}`;
}

export interface GridProps {
  xAxis: Axis;
  yAxis: Axis;
  width: number;
  height: number;
}

export function Grid({ xAxis, yAxis, width, height }: GridProps) {
  const end = width - RIGHT;
  return (
    <>
      {yAxis.ticks.map(({ position, label }) => (
        <g key={label}>
          <line
            x1={LEFT}
            x2={end}
            y1={yOf(yAxis, position, height)}
            y2={yOf(yAxis, position, height)}
          />
          <text x={LEFT - 7} y={yOf(yAxis, position, height) + 4} text-anchor="end">
            {label.slice(0, 9)}
          </text>
        </g>
      ))}
      {xAxis.ticks.map(({ position, label }) => {
        const x = xOf(xAxis, position, width);
        return (
          <g key={label}>
            <line x1={x} x2={x} y1={TOP} y2={height - BOTTOM} />
            <text x={x} y={height - BOTTOM + 16} text-anchor="middle">
              {label.slice(0, 12)}
            </text>
          </g>
        );
      })}
      <text class="name" x={(LEFT + end) / 2} y={height - 8} text-anchor="middle">
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
  color: string;
  isUnderPointer: boolean;
  isBrushed: boolean;
}

function RunPoint({ point, to, label, radius, color, isUnderPointer, isBrushed }: PointProps) {
  const { run, x, y } = point;
  const isHovered = run.id === hoveredRun.value;
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
