// One axis of the parallel coordinates, with its brush.

import { useRef, useState } from "preact/hooks";
import { textWidth } from "../ui/text-width";
import { type Axis, positionOfValue } from "./axis";
import type { Brush } from "./brush";
import { fieldTitle } from "./fields";
import { BOTTOM, HEIGHT, PLOT_HEIGHT, SIDE, TOP } from "./parallel-layout";

const NAME_FONT = "600 12px system-ui, sans-serif";
const MAX_TICK_LABEL = 9;
// Positions a little outside, so that the ends can be reached.
const [MIN_POSITION, MAX_POSITION] = [-0.03, 1.03];
const KEY_STEP = 0.1;

interface Props {
  axis: Axis;
  x: number;
  y: (position: number | undefined) => number;
  /** The distance of two axes in pixels. */
  spacing: number;
  brush: Brush | undefined;
  onBrush: (brush: Brush | undefined) => void;
}

type Interval = [low: number, high: number];

export function ParallelAxis({ axis, x, y, spacing, brush, onBrush }: Props) {
  const toPosition = (value: number) => (axis.isCategorical ? value : positionOfValue(axis, value));
  const setBrush = ([low, high]: Interval) =>
    onBrush({ field: axis.field, low: axis.value(low), high: axis.value(high) });
  const { dragged, grip } = useDrag(setBrush);
  const shown = dragged ?? (brush && ([toPosition(brush.low), toPosition(brush.high)] as Interval));
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape" || event.key === "Delete") onBrush(undefined);
    else {
      const moved = moveBrush(event, shown);
      if (!moved) return;
      setBrush(moved);
    }
    event.preventDefault();
  };
  const name = fieldTitle(axis.field);
  return (
    <g
      class="axis"
      role="slider"
      tabindex={0}
      aria-orientation="vertical"
      aria-label={`Range of ${name}`}
      aria-valuetext={brush ? describeBrush(axis, brush) : "all"}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(((shown?.[0] ?? 0) + (shown?.[1] ?? 1)) * 50)}
      onKeyDown={onKeyDown}
    >
      <title>{name}: drag along the axis to select a range, double-click to clear it</title>
      <text class="name" x={x} y={16} text-anchor="middle">
        {fitText(name, Math.min(spacing, 2 * SIDE) - 8)}
      </text>
      <AxisTicks axis={axis} x={x} y={y} />
      {shown && <BrushArea interval={shown} x={x} y={y} />}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the slider around it has the keys */}
      <rect
        class="grip"
        x={x - 16}
        width={32}
        y={TOP - 8}
        height={PLOT_HEIGHT + 16}
        onDblClick={() => onBrush(undefined)}
        {...grip}
      />
    </g>
  );
}

/** Selecting an interval by dragging; `dragged` is the interval during the drag. */
function useDrag(onSelect: (interval: Interval) => void) {
  const start = useRef<number>();
  const [dragged, setDragged] = useState<Interval>();
  // A gesture that the system takes over, such as scrolling by touch, selects nothing.
  const end = () => {
    start.current = undefined;
    setDragged(undefined);
  };
  const grip = {
    onPointerDown: (event: PointerEvent) => {
      (event.currentTarget as Element).setPointerCapture(event.pointerId);
      start.current = pointerPosition(event);
    },
    onPointerMove: (event: PointerEvent) => {
      if (start.current === undefined) return;
      const position = pointerPosition(event);
      if (Math.abs(position - start.current) <= 0.01) return;
      setDragged([Math.min(start.current, position), Math.max(start.current, position)]);
    },
    onPointerUp: () => {
      if (dragged) onSelect(dragged);
      end();
    },
    onLostPointerCapture: end,
  };
  return { dragged, grip };
}

function pointerPosition(event: PointerEvent): number {
  const svg = (event.currentTarget as SVGElement).ownerSVGElement;
  const top = svg?.getBoundingClientRect().top ?? 0;
  const position = (HEIGHT - BOTTOM - (event.clientY - top)) / PLOT_HEIGHT;
  return Math.min(MAX_POSITION, Math.max(MIN_POSITION, position));
}

/** The brush after an arrow key: moved, resized with Shift, or a new one on half of the axis. */
export function moveBrush(
  { key, shiftKey }: Pick<KeyboardEvent, "key" | "shiftKey">,
  shown: Interval | undefined,
): Interval | undefined {
  const step = { ArrowUp: KEY_STEP, ArrowDown: -KEY_STEP }[key];
  if (step === undefined) return undefined;
  if (!shown) return step > 0 ? [0.5, 1] : [0, 0.5];
  const [low, high] = shown;
  if (shiftKey) return [low, Math.min(1, Math.max(low + 0.05, high + step))];
  return [Math.max(0, low + step), Math.min(1, high + step)];
}

function describeBrush(axis: Axis, { low, high }: Brush): string {
  const describe = (value: number) =>
    axis.isCategorical ? `${Math.round(value * 100)} %` : String(Number(value.toPrecision(4)));
  return `${describe(low)} to ${describe(high)}`;
}

function AxisTicks({ axis, x, y }: Pick<Props, "axis" | "x" | "y">) {
  return (
    <>
      {axis.log && (
        <text class="log" x={x} y={30} text-anchor="middle">
          log
        </text>
      )}
      <line x1={x} x2={x} y1={TOP} y2={HEIGHT - BOTTOM} />
      {axis.ticks.map(({ position, label }) => (
        <g key={label}>
          <line x1={x - 4} x2={x} y1={y(position)} y2={y(position)} />
          <text class="mark" x={x - 7} y={y(position) + 4} text-anchor="end">
            {label.length > MAX_TICK_LABEL ? `${label.slice(0, MAX_TICK_LABEL - 1)}…` : label}
          </text>
        </g>
      ))}
      {axis.hasMissing && (
        <text class="mark" x={x - 7} y={HEIGHT - 6} text-anchor="end">
          none
        </text>
      )}
    </>
  );
}

function BrushArea({
  interval: [low, high],
  x,
  y,
}: Pick<Props, "x" | "y"> & { interval: Interval }) {
  const top = y(Math.min(1.02, high));
  const bottom = y(Math.max(-0.02, low));
  return <rect class="brush" x={x - 7} width={14} y={top} height={Math.max(2, bottom - top)} />;
}

/** As much of the text as fits. */
function fitText(text: string, width: number): string {
  let shown = text;
  while (textWidth(shown, NAME_FONT) > width && shown.length > 1) shown = `${shown.slice(0, -2)}…`;
  return shown;
}
