// Parallel coordinates: a vertical axis for each field, a line for each run, coloured by a metric.

import { useMemo } from "preact/hooks";
import { gradientColor } from "../ui/colors";
import { useElementWidth } from "../ui/element-width";
import { plural } from "../ui/format";
import { isDark } from "../ui/theme";
import { AxesMenu } from "./axes-menu";
import { type Axis, makeAxis } from "./axis";
import type { Brush } from "./brush";
import { CanvasLines } from "./canvas-lines";
import { type ComparedRun, hoveredRun } from "./compared-runs";
import { FieldSelect } from "./field-select";
import { fieldTitle } from "./fields";
import { HoveredRun } from "./hovered-run";
import { ParallelAxis } from "./parallel-axis";
import { BOTTOM, HEIGHT, linePath, makeLayout, nearestRun, PLOT_HEIGHT } from "./parallel-layout";

// The bar beside the last axis shows the colours in these steps.
const SHADES = Array.from({ length: 24 }, (_, index) => index / 24);
// With more runs than these, lines are thinner.
const MANY_RUNS = 60;
// With more, a canvas shows them.
const MAX_ELEMENTS = 300;

interface Props {
  runs: ComparedRun[];
  /** The runs within the brushes; the others are shown faintly. */
  brushed: ComparedRun[];
  axes: string[];
  target: string;
  brushes: Brush[];
  config: string[];
  options: string[];
  onAxes: (fields: string[]) => void;
  onTarget: (field: string) => void;
  onBrush: (brushes: Brush[]) => void;
}

export function ParallelPlot(props: Props) {
  const { runs, target, brushes } = props;
  const [box, room] = useElementWidth();
  const fields = [...props.axes, target];
  const axes = useMemo(
    () => fields.map((field) => makeAxis(runs, field, { tickCount: 6 })),
    [runs, fields.join("\n")],
  );
  const layout = makeLayout(axes.length, room);
  // A drawing of thousands of elements would take seconds.
  const isCanvas = runs.length > MAX_ELEMENTS;
  const ordered = drawingOrder(runs, props.brushed);
  const replaceBrush = (field: string, brush: Brush | undefined) => {
    const others = brushes.filter((other) => other.field !== field);
    props.onBrush(brush ? [...others, brush] : others);
  };
  const onPointerMove = (event: PointerEvent) => {
    const { left, top } = (event.currentTarget as Element).getBoundingClientRect();
    const pointer = { x: event.clientX - left, y: event.clientY - top };
    hoveredRun.value = nearestRun(ordered, axes, layout, pointer)?.id;
  };
  const titles = axes.map((axis) => fieldTitle(axis.field)).join(", ");
  return (
    <section class="panel-box" aria-label="Parallel coordinates">
      <header>
        <h2>Parallel coordinates</h2>
        <FieldSelect
          label="Colour by"
          selected={target}
          options={props.options}
          onSelect={props.onTarget}
        />
        <AxesMenu axes={props.axes} config={props.config} onAxes={props.onAxes} />
      </header>
      <div
        class="across"
        ref={box}
        tabIndex={layout.width > room ? 0 : undefined}
        onPointerLeave={clearHover}
      >
        {isCanvas && (
          <CanvasLines runs={runs} brushed={props.brushed} axes={axes} layout={layout} />
        )}
        <svg
          class="parallel"
          width={layout.width}
          height={HEIGHT}
          viewBox={`0 0 ${layout.width} ${HEIGHT}`}
          role="group"
          aria-label={`${plural(runs.length, "run")} over ${titles}`}
          onPointerMove={onPointerMove}
        >
          <RunLines
            runs={isCanvas ? ordered.filter((run) => run.id === hoveredRun.value) : ordered}
            isMany={runs.length > MANY_RUNS}
            brushed={props.brushed}
            axes={axes}
            layout={layout}
          />
          <ColorBar axis={axes.at(-1) as Axis} left={layout.x(axes.length - 1) + 2} />
          {axes.map((axis, index) => (
            <ParallelAxis
              key={axis.field}
              axis={axis}
              x={layout.x(index)}
              y={layout.y}
              spacing={layout.spacing}
              brush={brushes.find((brush) => brush.field === axis.field)}
              onBrush={(brush) => replaceBrush(axis.field, brush)}
            />
          ))}
        </svg>
      </div>
      <HoveredRun runs={runs} fields={[...props.axes, target]} />
    </section>
  );
}

const clearHover = () => {
  hoveredRun.value = undefined;
};

/** Brushed runs above the others, and the hovered run above all. */
function drawingOrder(runs: ComparedRun[], brushed: ComparedRun[]): ComparedRun[] {
  const brushedIds = new Set(brushed.map((run) => run.id));
  const level = (run: ComparedRun) =>
    run.id === hoveredRun.value ? 2 : brushedIds.has(run.id) ? 1 : 0;
  return [...runs].sort((left, right) => level(left) - level(right));
}

interface LinesProps {
  runs: ComparedRun[];
  isMany: boolean;
  brushed: ComparedRun[];
  axes: Axis[];
  layout: ReturnType<typeof makeLayout>;
}

function RunLines({ runs, isMany, brushed, axes, layout }: LinesProps) {
  const brushedIds = new Set(brushed.map((run) => run.id));
  const excludedColor = isDark.value ? "#3a424d" : "#d5dae1";
  const baseWidth = isMany ? 1.1 : 1.7;
  return (
    // biome-ignore lint/a11y/noAriaHiddenOnFocusable: no path has the focus
    <g fill="none" aria-hidden="true">
      {runs.map((run) => {
        const isBrushed = brushedIds.has(run.id);
        const isHovered = run.id === hoveredRun.value;
        const position = axes.at(-1)?.position(run);
        const color = position === undefined ? "var(--faint)" : gradientColor(position);
        return (
          <path
            key={run.id}
            d={linePath(run, axes, layout)}
            stroke={isBrushed ? color : excludedColor}
            stroke-width={isHovered ? 3.5 : baseWidth}
            stroke-opacity={isHovered ? 1 : isBrushed ? 0.85 : 0.6}
            stroke-dasharray={position === undefined ? "3 3" : undefined}
          />
        );
      })}
    </g>
  );
}

const ColorBar = ({ axis, left }: { axis: Axis; left: number }) =>
  axis.isCategorical ? null : (
    <g>
      {SHADES.map((position) => (
        <rect
          key={position}
          x={left}
          width={6}
          y={HEIGHT - BOTTOM - (position + 1 / SHADES.length) * PLOT_HEIGHT}
          height={PLOT_HEIGHT / SHADES.length + 0.5}
          fill={gradientColor(position)}
        />
      ))}
    </g>
  );
