// Lines or points over two numeric axes, with the values at the cursor in the legend.

import { useState } from "preact/hooks";
import { linearTicks, tickLabels } from "../chart/ticks";
import type { LineStyle } from "../ui/colors";
import { useElementWidth } from "../ui/element-width";
import { formatNumber, plural } from "../ui/format";
import { Swatch } from "../ui/swatch";
import { extent } from "../ui/values";

export interface StyledCurve {
  label: string;
  style: LineStyle;
  points: [number, number][];
  /** Facts beside the name, such as the area under the curve. */
  note?: string;
}

interface Props {
  label: string;
  curves: StyledCurve[];
  isLine: boolean;
  x: string;
  y: string;
  /** The range of both axes; by default that of the points. */
  range?: [number, number];
  /** Draw the line of a classifier that guesses. */
  diagonal?: boolean;
}

const HEIGHT = 300;
const [LEFT, RIGHT, TOP, BOTTOM] = [52, 12, 10, 40];
// The distances of two ticks in pixels.
const [X_TICKS, Y_TICKS] = [80, 46];
const KEY_STEPS = 100;

interface Scale {
  low: number;
  high: number;
  place: (value: number) => number;
}

function makeScale(range: [number, number], from: number, to: number): Scale {
  const [low, end] = range;
  const high = end > low ? end : low + 1;
  return { low, high, place: (value) => from + ((value - low) / (high - low)) * (to - from) };
}

export function CurvePlot({ label, curves, isLine, x, y, range, diagonal = false }: Props) {
  const [box, width] = useElementWidth();
  const [cursor, setCursor] = useState<number>();
  const points = curves.flatMap((curve) => curve.points);
  const xRange = range ?? extent(points.map(([value]) => value)) ?? [0, 1];
  const yRange = range ?? extent(points.map(([, value]) => value)) ?? [0, 1];
  const xScale = makeScale(xRange, LEFT, width - RIGHT);
  const yScale = makeScale(yRange, HEIGHT - BOTTOM, TOP);
  const move = (event: KeyboardEvent) => {
    const direction = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!direction) return;
    event.preventDefault();
    const step = (xScale.high - xScale.low) / KEY_STEPS;
    const next = (cursor ?? xScale.low) + direction * step;
    setCursor(Math.min(xScale.high, Math.max(xScale.low, next)));
  };
  const point = (event: PointerEvent) => {
    const left = event.clientX - (event.currentTarget as Element).getBoundingClientRect().left;
    const share = (left - LEFT) / (width - LEFT - RIGHT);
    const value = xScale.low + share * (xScale.high - xScale.low);
    setCursor(share >= 0 && share <= 1 ? value : undefined);
  };
  const [noun, nouns] = isLine ? ["line", "lines"] : ["set of points", "sets of points"];
  return (
    <div class="curves">
      <div
        ref={box}
        class="drawing"
        role="group"
        aria-label={`${label}: ${plural(curves.length, noun, nouns)}`}
        tabIndex={0}
        onKeyDown={move}
        onPointerMove={point}
        onPointerLeave={() => setCursor(undefined)}
      >
        <svg width={width} height={HEIGHT} viewBox={`0 0 ${width} ${HEIGHT}`} aria-hidden="true">
          <Axes xScale={xScale} yScale={yScale} width={width} x={x} y={y} />
          {diagonal && (
            <line
              class="guess"
              x1={xScale.place(0)}
              y1={yScale.place(0)}
              x2={xScale.place(1)}
              y2={yScale.place(1)}
            />
          )}
          {curves.map((curve, index) => (
            <Line key={index} curve={curve} isLine={isLine} xScale={xScale} yScale={yScale} />
          ))}
          {cursor !== undefined && (
            <line
              class="cursor"
              x1={xScale.place(cursor)}
              x2={xScale.place(cursor)}
              y1={TOP}
              y2={HEIGHT - BOTTOM}
            />
          )}
        </svg>
      </div>
      <Legend curves={curves} x={x} cursor={cursor} />
    </div>
  );
}

interface LineProps {
  curve: StyledCurve;
  isLine: boolean;
  xScale: Scale;
  yScale: Scale;
}

function Line({ curve: { points, style }, isLine, xScale, yScale }: LineProps) {
  const places = points.map(
    ([x, y]) => `${xScale.place(x).toFixed(1)},${yScale.place(y).toFixed(1)}`,
  );
  if (isLine && points.length > 1) {
    return (
      <polyline
        points={places.join(" ")}
        fill="none"
        stroke={style.color}
        stroke-width="1.8"
        stroke-dasharray={style.dash.join(" ") || undefined}
      />
    );
  }
  // One path: thousands of circles are slow. A line of no length with round ends is a dot.
  const dots = places.map((place) => `M${place}h0`).join("");
  return <path d={dots} stroke={style.color} stroke-width="5" stroke-linecap="round" />;
}

interface AxesProps {
  xScale: Scale;
  yScale: Scale;
  width: number;
  x: string;
  y: string;
}

function Axes({ xScale, yScale, width, x, y }: AxesProps) {
  const xTicks = linearTicks(xScale.low, xScale.high, Math.max(2, (width - LEFT) / X_TICKS));
  const yTicks = linearTicks(yScale.low, yScale.high, (HEIGHT - TOP - BOTTOM) / Y_TICKS);
  const [xLabels, yLabels] = [tickLabels(xTicks), tickLabels(yTicks)];
  const [end, bottom] = [width - RIGHT, HEIGHT - BOTTOM];
  return (
    <>
      {yTicks.map((tick, index) => (
        <g key={`y ${tick}`}>
          <line x1={LEFT} x2={end} y1={yScale.place(tick)} y2={yScale.place(tick)} />
          <text x={LEFT - 6} y={yScale.place(tick) + 4} text-anchor="end">
            {yLabels[index]}
          </text>
        </g>
      ))}
      {xTicks.map((tick, index) => (
        <g key={`x ${tick}`}>
          <line x1={xScale.place(tick)} x2={xScale.place(tick)} y1={TOP} y2={bottom} />
          <text x={xScale.place(tick)} y={bottom + 16} text-anchor="middle">
            {xLabels[index]}
          </text>
        </g>
      ))}
      <text class="name" x={(LEFT + end) / 2} y={HEIGHT - 6} text-anchor="middle">
        {x}
      </text>
      <text
        class="name"
        x={-(TOP + bottom) / 2}
        y={11}
        transform="rotate(-90)"
        text-anchor="middle"
      >
        {y}
      </text>
    </>
  );
}

interface LegendProps {
  curves: StyledCurve[];
  x: string;
  cursor: number | undefined;
}

const Legend = ({ curves, x, cursor }: LegendProps) => (
  <>
    <ul class="curve-legend">
      {curves.map(({ label, style, note, points }, index) => {
        const value = cursor === undefined ? undefined : valueAt(points, cursor);
        return (
          <li key={index}>
            <Swatch {...style} />
            <span>{label}</span>
            {note && <small>{note}</small>}
            {value !== undefined && <b>{formatNumber(value, 4)}</b>}
          </li>
        );
      })}
    </ul>
    <p class="faint" role="status">
      {cursor !== undefined && `at ${x} ${formatNumber(cursor, 4)}, the nearest points`}
    </p>
  </>
);

/** The y value of the point whose x value is nearest. */
function valueAt(points: [number, number][], x: number): number | undefined {
  let nearest: [number, number] | undefined;
  for (const point of points) {
    if (!nearest || Math.abs(point[0] - x) < Math.abs(nearest[0] - x)) nearest = point;
  }
  return nearest?.[1];
}
