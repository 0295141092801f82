// The target over two parameters, as a surface with the runs on top.

import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { outlierFences } from "../chart/scale";
import { type Axis, makeAxis } from "../compare/axis";
import { bestOf, betterByName } from "../compare/better";
import { prepare } from "../compare/canvas";
import { type ComparedRun, hoveredRun } from "../compare/compared-runs";
import { FieldSelect } from "../compare/field-select";
import { fieldTitle, numbersOf } from "../compare/fields";
import { HoveredRun } from "../compare/hovered-run";
import { Grid } from "../compare/scatter-graph";
import { HEIGHT, nearestPoint, xOf, yOf } from "../compare/scatter-layout";
import { gradientColor } from "../ui/colors";
import { useElementWidth } from "../ui/element-width";
import { formatNumber, grouped, plural, readable } from "../ui/format";
import { isDark } from "../ui/theme";
import { finiteNumber } from "../ui/values";
import { keepingView, replaceParameters } from "../view/address";
import { Link } from "../view/link";
import { contourLines, makeSurface, type Surface } from "./contour";
import { targetName } from "./target";

const SHADES = Array.from({ length: 24 }, (_, index) => index / 23);
const REACH = 12;

interface Props {
  projectId: number;
  runs: ComparedRun[];
  options: string[];
  target: string;
  x: string;
  y: string;
}

interface Placed {
  run: ComparedRun;
  /** In pixels, and the position of the value on the colours. */
  x: number;
  y: number;
  color: number;
}

export function ContourPanel({ projectId, runs, options, target, x, y }: Props) {
  const [box, width] = useElementWidth();
  const canvas = useRef<HTMLCanvasElement>(null);
  const { xAxis, yAxis, colors, present, surface, placed } = useContour(runs, x, y, target, width);
  const dark = isDark.value;
  useLayoutEffect(() => {
    const context = prepare(canvas.current, width, HEIGHT);
    if (!context) return;
    drawSurface(context, surface, xAxis, yAxis, width);
    drawRuns(context, placed, dark);
  }, [surface, placed, width, dark]);
  const onPointerMove = (event: PointerEvent) => {
    const area = (event.currentTarget as Element).getBoundingClientRect();
    const [left, top] = [event.clientX - area.left, event.clientY - area.top];
    hoveredRun.value = nearestPoint(placed, left, top, REACH)?.run.id;
  };
  const hovered = placed.find(({ run }) => run.id === hoveredRun.value);
  const name = targetName(target);
  const axisNames = `${fieldTitle(x)} and ${fieldTitle(y)}`;
  const isEmpty = placed.length === 0;
  return (
    <section class="panel-box" aria-label="Contour">
      <header>
        <h2>Contour of {name}</h2>
        <FieldSelect
          label="Across"
          selected={x}
          options={options}
          onSelect={(field) => replaceParameters({ cx: field })}
        />
        <FieldSelect
          label="Up"
          selected={y}
          options={options}
          onSelect={(field) => replaceParameters({ cy: field })}
        />
      </header>
      <div
        ref={box}
        class="layers"
        onPointerLeave={() => {
          hoveredRun.value = undefined;
        }}
      >
        <canvas class="under" ref={canvas} />
        <svg
          class="scatter"
          width={width}
          height={HEIGHT}
          viewBox={`0 0 ${width} ${HEIGHT}`}
          role="img"
          aria-label={`${name} over ${axisNames} of ${plural(placed.length, "run")}`}
          onPointerMove={onPointerMove}
        >
          <Grid xAxis={xAxis} yAxis={yAxis} width={width} height={HEIGHT} />
          {hovered && <circle class="hovered" cx={hovered.x} cy={hovered.y} r={6} />}
        </svg>
      </div>
      {!isEmpty && <ColorScale colors={colors} name={name} />}
      <HoveredRun runs={runs} fields={[x, y, target]} />
      <BestRun
        projectId={projectId}
        runs={placed.map(({ run }) => run)}
        fields={[x, y]}
        target={target}
      />
      <p class="faint">
        Colour: mean of the runs near by (Gaussian, 4 % of an axis), blank where none is near.{" "}
        {`Up: ${fieldTitle(y)}${yAxis.log ? " (log)" : ""}. `}
        {`${grouped(placed.length)} of ${plural(runs.length, "run")} `}
        have both parameters and a finite value
        {present > placed.length &&
          `; ${plural(present - placed.length, "value")} cannot be placed on a log scale`}
        .
      </p>
    </section>
  );
}

function useContour(runs: ComparedRun[], x: string, y: string, target: string, width: number) {
  const axes = useMemo(() => {
    const options = { tickCount: 6, margin: true };
    const colors = makeColors(runs, target);
    return { xAxis: makeAxis(runs, x, options), yAxis: makeAxis(runs, y, options), colors };
  }, [runs, x, y, target]);
  const { xAxis, yAxis, colors } = axes;
  const points = useMemo(
    () =>
      runs.flatMap((run) => {
        const [across, up, value] = [
          xAxis.position(run),
          yAxis.position(run),
          colors.position(run),
        ];
        if (across === undefined || up === undefined || value === undefined) return [];
        return [{ run, x: across, y: up, value }];
      }),
    [axes],
  );
  const surface = useMemo(() => makeSurface(points, xAxis, yAxis), [points]);
  const placed = useMemo(
    () =>
      points.map(
        ({ run, x: across, y: up, value }): Placed => ({
          run,
          x: xOf(xAxis, across, width),
          y: yOf(yAxis, up, HEIGHT),
          color: value,
        }),
      ),
    [points, width],
  );
  const present = numbersOf(runs, target).length - countAbsent(runs, x, y, target);
  return { ...axes, surface, placed, present };
}

/** How many runs have a value, but not both parameters. */
const countAbsent = (runs: ComparedRun[], x: string, y: string, target: string): number =>
  runs.filter(
    ({ values }) =>
      finiteNumber(values[target]) !== undefined &&
      [values[x], values[y]].some((value) => value === null || value === undefined),
  ).length;

interface Colors {
  axis: Axis;
  /** From 0 to 1; outliers have the colours of the ends. */
  position: (run: ComparedRun) => number | undefined;
  /** How many runs are beyond the ends. */
  outside: number;
}

function makeColors(runs: ComparedRun[], target: string): Colors {
  const all = makeAxis(runs, target, { tickCount: 5 });
  const fences = outlierFences(
    numbersOf(runs, target).filter((number) => !all.log || number > 0),
    all.log,
  );
  const inside = fences
    ? runs.filter((run) => {
        const number = finiteNumber(run.values[target]);
        return number !== undefined && number >= fences[0] && number <= fences[1];
      })
    : runs;
  const axis = fences ? makeAxis(inside, target, { tickCount: 5, log: all.log }) : all;
  const position = (run: ComparedRun) => {
    const place = axis.position(run);
    return place === undefined || axis.isCategorical ? undefined : Math.min(1, Math.max(0, place));
  };
  const outside = fences ? numbersOf(runs, target).length - inside.length : 0;
  return { axis, position, outside };
}

function drawSurface(
  context: CanvasRenderingContext2D,
  surface: Surface,
  xAxis: Axis,
  yAxis: Axis,
  width: number,
): void {
  const { columns, rows, values } = surface;
  const across = (cell: number) => xOf(xAxis, place(cell, columns, xAxis), width);
  const up = (cell: number) => yOf(yAxis, place(cell, rows, yAxis), HEIGHT);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const value = values[row * columns + column] as number;
      if (Number.isNaN(value)) continue;
      context.fillStyle = gradientColor(value);
      const [left, right] = [across(column - 0.5), across(column + 0.5)];
      const [bottom, top] = [up(row - 0.5), up(row + 0.5)];
      // A little larger: no lines between the cells.
      context.fillRect(left, top, right - left + 0.6, bottom - top + 0.6);
    }
  }
  if (xAxis.isCategorical || yAxis.isCategorical) return;
  context.globalAlpha = 0.5;
  context.strokeStyle = isDark.value ? "#ffffff" : "#000000";
  context.lineWidth = 1;
  context.beginPath();
  for (const [x1, y1, x2, y2] of contourLines(surface)) {
    context.moveTo(across(x1), up(y1));
    context.lineTo(across(x2), up(y2));
  }
  context.stroke();
}

/** The position of the centre of a cell on its axis. */
const place = (cell: number, cells: number, { isCategorical }: Axis): number => {
  if (!isCategorical) return (cell + 0.5) / cells;
  return cells === 1 ? 0.5 + cell : cell / (cells - 1);
};

function drawRuns(context: CanvasRenderingContext2D, placed: Placed[], dark: boolean): void {
  context.globalAlpha = 0.9;
  context.lineWidth = 0.8;
  context.strokeStyle = dark ? "#000000" : "#ffffff";
  for (const { x, y, color } of placed) {
    context.fillStyle = gradientColor(color);
    context.beginPath();
    context.arc(x, y, placed.length > 300 ? 2.2 : 3.5, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
  }
}

function ColorScale({ colors: { axis, outside }, name }: { colors: Colors; name: string }) {
  const stops = SHADES.map((position) => gradientColor(position)).join(", ");
  const ends = [0, 1].map((position) => formatNumber(axis.value(position), 3));
  return (
    <p class="colour-scale">
      <span>{ends[0]}</span>
      <span class="colours" style={{ background: `linear-gradient(90deg, ${stops})` }} />
      <span>{ends[1]}</span>
      <span class="faint">
        {name}
        {axis.log && " (log)"}
        {outside > 0 && `; ${plural(outside, "outlier")} in the colours of the ends`}
      </span>
    </p>
  );
}

interface BestProps {
  projectId: number;
  runs: ComparedRun[];
  fields: string[];
  target: string;
}

/** The best of the runs, if the name of the metric says what is better. */
function BestRun({ projectId, runs, fields, target }: BestProps) {
  const best = bestOf(numbersOf(runs, target), betterByName(target));
  const run = runs.find(({ values }) => finiteNumber(values[target]) === best);
  if (best === undefined || !run) return null;
  const place = fields
    .map((field) => `${fieldTitle(field)} = ${readable(run.values[field])}`)
    .join(", ");
  return (
    <p class="best-run">
      Best: <Link to={keepingView({ run: run.id, project: projectId })}>{run.name}</Link> with{" "}
      {formatNumber(Number(best))} at {place}
    </p>
  );
}
