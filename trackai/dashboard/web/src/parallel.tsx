// Parallel coordinates: an upright axis for each key, a line for each run, coloured by a metric.

import { useRef, useState } from "preact/hooks";
import { type Axis, axis } from "./axis";
import { dark, shade } from "./colors";
import { useWidth, Words } from "./compare";
import { type Compared, pointed, title } from "./comparison";
import { useDismissed } from "./dismissed";
import { widthOf } from "./marks";

const HEIGHT = 330;
const TOP = 46;
const FOOT = 34;
const SIDE = 62;
const SHADES = Array.from({ length: 24 }, (_, at) => at / 24);

/** A part of an axis; of an axis of words, shares of its height. */
export interface Brush {
  field: string;
  low: number;
  high: number;
}

export function inside(runs: Compared[], run: Compared, brush: Brush): boolean {
  const one = axis(runs, brush.field, 5, undefined, false);
  const share = one.at(run);
  if (share === undefined) return false;
  const value = one.words ? share : one.back(share);
  const room = (brush.high - brush.low) * 1e-4;
  return value >= brush.low - room && value <= brush.high + room;
}

interface Props {
  runs: Compared[];
  kept: Compared[];
  axes: string[];
  target: string;
  brushes: Brush[];
  config: string[];
  options: string[];
  onAxes: (fields: string[]) => void;
  onTarget: (field: string) => void;
  onBrush: (brushes: Brush[]) => void;
}

export function Parallel({
  runs,
  kept,
  axes,
  target,
  brushes,
  config,
  options,
  onAxes,
  onTarget,
  onBrush,
}: Props) {
  const [box, room] = useWidth();
  const all = [...axes, target].map((field) => axis(runs, field, 6, undefined, false));
  const last = all[all.length - 1] as Axis;
  // Names must not lie over each other: a narrow screen scrolls.
  const width = Math.max(room, 2 * SIDE + (all.length - 1) * 74);
  const apart = (width - 2 * SIDE) / Math.max(1, all.length - 1);
  const x = (at: number) => Math.round(SIDE + at * apart) + 0.5;
  const y = (share: number | undefined) =>
    share === undefined ? HEIGHT - 10 : HEIGHT - FOOT - share * (HEIGHT - FOOT - TOP);
  const keptIds = new Set(kept.map((one) => one.id));
  const paths = runs.map((run) => {
    const places = all.map((one, at) => [x(at), y(one.at(run))] as const);
    return { run, path: curve(places), share: last.at(run) };
  });
  // What is chosen lies above what is not, and what is pointed at above all.
  const order = (run: Compared) => (run.id === pointed.value ? 2 : keptIds.has(run.id) ? 1 : 0);
  paths.sort((one, other) => order(one.run) - order(other.run));
  const faint = dark.value ? "#3a424d" : "#d5dae1";
  return (
    <section class="panel-box" aria-label="Parallel coordinates">
      <header>
        <h2>Parallel coordinates</h2>
        <label>
          Colour
          <select value={target} onChange={(event) => onTarget(event.currentTarget.value)}>
            {(options.includes(target) ? options : [target, ...options]).map((field) => (
              <option key={field} value={field}>
                {title(field)}
              </option>
            ))}
          </select>
        </label>
        <Axes axes={axes} config={config} onAxes={onAxes} />
      </header>
      <div
        class="across"
        ref={box}
        tabIndex={width > room ? 0 : undefined}
        onPointerLeave={() => (pointed.value = undefined)}
      >
        <svg
          class="parallel"
          width={width}
          height={HEIGHT}
          viewBox={`0 0 ${width} ${HEIGHT}`}
          role="group"
          aria-label={`${runs.length} runs over ${all.map((one) => title(one.field)).join(", ")}`}
          onPointerMove={(event) =>
            point(
              event,
              paths.map((one) => one.run),
              all,
              x,
              y,
            )
          }
        >
          <g fill="none" aria-hidden="true">
            {paths.map(({ run, path, share }) => {
              const on = keptIds.has(run.id);
              const here = run.id === pointed.value;
              return (
                <path
                  key={run.id}
                  d={path}
                  stroke={on ? (share === undefined ? "var(--faint)" : shade(share)) : faint}
                  stroke-width={here ? 3.5 : runs.length > 60 ? 1.1 : 1.7}
                  stroke-opacity={here ? 1 : on ? 0.85 : 0.6}
                  stroke-dasharray={share === undefined ? "3 3" : undefined}
                />
              );
            })}
          </g>
          {!last.words &&
            SHADES.map((share) => (
              <rect
                key={share}
                x={x(all.length - 1) + 2}
                width={6}
                y={y(share + 1 / SHADES.length)}
                height={(HEIGHT - FOOT - TOP) / SHADES.length + 0.5}
                fill={shade(share)}
              />
            ))}
          {all.map((one, at) => (
            <AxisView
              key={one.field}
              axis={one}
              x={x(at)}
              y={y}
              apart={apart}
              brush={brushes.find((brush) => brush.field === one.field)}
              onBrush={(next) =>
                onBrush([
                  ...brushes.filter((brush) => brush.field !== one.field),
                  ...(next ? [next] : []),
                ])
              }
            />
          ))}
        </svg>
      </div>
      <Words run={runs.find((one) => one.id === pointed.value)} fields={[...axes, target]} />
    </section>
  );
}

/** Straight where it meets an axis, so that lines can be followed through it. */
function curve(places: (readonly [number, number])[]): string {
  return places
    .map(([x, y], at) => {
      const before = places[at - 1];
      if (!before) return `M${x} ${y.toFixed(1)}`;
      const half = (x - before[0]) / 2.4;
      return `C${(before[0] + half).toFixed(1)} ${before[1].toFixed(1)} ${(x - half).toFixed(1)} ${y.toFixed(1)} ${x} ${y.toFixed(1)}`;
    })
    .join("");
}

/** The run whose line is nearest where it crosses between two axes. */
function point(
  event: PointerEvent,
  runs: Compared[],
  all: Axis[],
  x: (at: number) => number,
  y: (share: number | undefined) => number,
): void {
  const box = (event.currentTarget as Element).getBoundingClientRect();
  const [left, top] = [event.clientX - box.left, event.clientY - box.top];
  const after = Math.max(
    1,
    Math.min(
      all.length - 1,
      all.findIndex((_, at) => x(at) >= left),
    ),
  );
  const [from, to] = [all[after - 1], all[after]];
  if (!from || !to) return;
  const part = Math.min(1, Math.max(0, (left - x(after - 1)) / (x(after) - x(after - 1))));
  const bent = part * part * (3 - 2 * part);
  let [nearest, far]: [number | undefined, number] = [undefined, 24];
  for (const run of runs) {
    const [one, other] = [y(from.at(run)), y(to.at(run))];
    const distance = Math.abs(one + (other - one) * bent - top);
    if (distance < far) [nearest, far] = [run.id, distance];
  }
  pointed.value = nearest;
}

interface AxisProps {
  axis: Axis;
  x: number;
  y: (share: number | undefined) => number;
  apart: number;
  brush: Brush | undefined;
  onBrush: (brush: Brush | undefined) => void;
}

function AxisView({ axis: one, x, y, apart, brush, onBrush }: AxisProps) {
  const from = useRef<number>();
  const [drag, setDrag] = useState<[number, number]>();
  const value = (share: number) => (one.words ? share : one.back(share));
  const share = (of: number) => (one.words ? of : place(one, of));
  const shown = drag ?? (brush && ([share(brush.low), share(brush.high)] as [number, number]));
  const at = (event: PointerEvent) => {
    const box = (event.currentTarget as SVGElement).ownerSVGElement?.getBoundingClientRect();
    const place = (HEIGHT - FOOT - (event.clientY - (box?.top ?? 0))) / (HEIGHT - FOOT - TOP);
    return Math.min(1.03, Math.max(-0.03, place));
  };
  // What the system takes away, such as a finger that begins to scroll, chooses nothing.
  const end = () => {
    from.current = undefined;
    setDrag(undefined);
  };
  const set = (low: number, high: number) =>
    onBrush({ field: one.field, low: value(low), high: value(high) });
  const key = (event: KeyboardEvent) => {
    const move = { ArrowUp: 0.1, ArrowDown: -0.1 }[event.key];
    const [low, high] = shown ?? [0, 1];
    if (event.key === "Escape" || event.key === "Delete") onBrush(undefined);
    else if (move === undefined) return;
    else if (!shown) set(move > 0 ? 0.5 : 0, move > 0 ? 1 : 0.5);
    else if (event.shiftKey) set(low, Math.min(1, Math.max(low + 0.05, high + move)));
    else set(Math.max(0, low + move), Math.min(1, high + move));
    event.preventDefault();
  };
  const words = brush ? `${said(brush.low, one)} to ${said(brush.high, one)}` : "all";
  const name = title(one.field);
  return (
    <g
      class="axis"
      role="slider"
      tabindex={0}
      aria-orientation="vertical"
      aria-label={`Range of ${name}`}
      aria-valuetext={words}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(((shown?.[0] ?? 0) + (shown?.[1] ?? 1)) * 50)}
      onKeyDown={key}
    >
      <title>{name}: drag along the axis to choose a range, double-click to end it</title>
      <text class="name" x={x} y={16} text-anchor="middle">
        {cut(name, Math.min(apart, 2 * SIDE) - 8)}
      </text>
      {one.log && (
        <text class="log" x={x} y={30} text-anchor="middle">
          log
        </text>
      )}
      <line x1={x} x2={x} y1={TOP} y2={HEIGHT - FOOT} />
      {one.marks.map((mark) => (
        <g key={mark.label}>
          <line x1={x - 4} x2={x} y1={y(mark.share)} y2={y(mark.share)} />
          <text class="mark" x={x - 7} y={y(mark.share) + 4} text-anchor="end">
            {mark.label.length > 9 ? `${mark.label.slice(0, 8)}…` : mark.label}
          </text>
        </g>
      ))}
      {one.lacking && (
        <text class="mark" x={x - 7} y={HEIGHT - 6} text-anchor="end">
          none
        </text>
      )}
      {shown && (
        <rect
          class="brush"
          x={x - 7}
          width={14}
          y={y(Math.min(1.02, shown[1]))}
          height={Math.max(2, y(Math.max(-0.02, shown[0])) - y(Math.min(1.02, shown[1])))}
        />
      )}
      <rect
        class="grip"
        x={x - 16}
        width={32}
        y={TOP - 8}
        height={HEIGHT - FOOT - TOP + 16}
        onDblClick={() => onBrush(undefined)}
        onPointerDown={(event) => {
          (event.currentTarget as Element).setPointerCapture(event.pointerId);
          from.current = at(event);
        }}
        onPointerMove={(event) => {
          if (from.current === undefined) return;
          const to = at(event);
          if (Math.abs(to - from.current) > 0.01)
            setDrag([Math.min(from.current, to), Math.max(from.current, to)]);
        }}
        onPointerUp={() => {
          if (drag) set(...drag);
          end();
        }}
        onLostPointerCapture={end}
      />
    </g>
  );
}

/** Where a value lies on an axis of numbers: `back` is rising, so it is looked for. */
function place(one: Axis, value: number): number {
  let [low, high] = [-0.05, 1.05];
  for (let turn = 0; turn < 40; turn++) {
    const middle = (low + high) / 2;
    if (one.back(middle) < value) low = middle;
    else high = middle;
  }
  return low;
}

/** As much of a name as has room. */
function cut(name: string, room: number): string {
  let kept = name;
  while (widthOf(kept, "600 12px system-ui, sans-serif") > room && kept.length > 1)
    kept = `${kept.slice(0, -2)}…`;
  return kept;
}

const said = (value: number, one: Axis): string =>
  one.words ? `${Math.round(value * 100)} %` : String(Number(value.toPrecision(4)));

/** Which keys have an axis. */
function Axes({
  axes,
  config,
  onAxes,
}: {
  axes: string[];
  config: string[];
  onAxes: (fields: string[]) => void;
}) {
  const [search, setSearch] = useState("");
  const [dismissed] = useDismissed();
  const found = config
    .filter((field) => title(field).toLowerCase().includes(search.toLowerCase()))
    .slice(0, 200);
  return (
    <details class="chooser" {...dismissed}>
      <summary>Axes ({axes.length})</summary>
      <div class="menu">
        <input
          type="search"
          aria-label="Search axes"
          placeholder="Search keys"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
        {found.map((field) => (
          <label key={field}>
            <input
              type="checkbox"
              checked={axes.includes(field)}
              onChange={(event) =>
                onAxes(
                  event.currentTarget.checked
                    ? [...axes, field]
                    : axes.filter((one) => one !== field),
                )
              }
            />
            {title(field)}
          </label>
        ))}
      </div>
    </details>
  );
}
