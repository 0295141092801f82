// The geometry of parallel coordinates, in pixels.

import type { Axis } from "./axis";

export const HEIGHT = 330;
export const TOP = 46;
export const BOTTOM = 34;
export const SIDE = 62;
export const PLOT_HEIGHT = HEIGHT - BOTTOM - TOP;
// Closer axes would have overlapping names; a narrow screen scrolls instead.
const MIN_SPACING = 74;
// A run is hovered within this distance of its line.
const REACH = 24;

export interface ParallelLayout {
  width: number;
  spacing: number;
  /** The x of an axis, and the y of a position from 0 to 1; missing values are at the bottom. */
  x: (axis: number) => number;
  y: (position: number | undefined) => number;
}

export function makeLayout(axes: number, room: number): ParallelLayout {
  const width = Math.max(room, 2 * SIDE + (axes - 1) * MIN_SPACING);
  const spacing = (width - 2 * SIDE) / Math.max(1, axes - 1);
  return {
    width,
    spacing,
    x: (axis) => Math.round(SIDE + axis * spacing) + 0.5,
    y: (position) =>
      position === undefined ? HEIGHT - 10 : HEIGHT - BOTTOM - position * PLOT_HEIGHT,
  };
}

type Positioned = Pick<Axis, "position">;
type Run = Parameters<Axis["position"]>[0];

/** A curve that is horizontal at each axis, so that lines can be followed through it. */
export function linePath(run: Run, axes: Positioned[], layout: ParallelLayout): string {
  const points = axes.map(
    (axis, index) => [layout.x(index), layout.y(axis.position(run))] as const,
  );
  const segments = points.map(([x, y], index) => {
    const before = points[index - 1];
    if (!before) return `M${x} ${y.toFixed(1)}`;
    const reach = (x - before[0]) / 2.4;
    const start = `${(before[0] + reach).toFixed(1)} ${before[1].toFixed(1)}`;
    return `C${start} ${(x - reach).toFixed(1)} ${y.toFixed(1)} ${x} ${y.toFixed(1)}`;
  });
  return segments.join("");
}

/** The run whose line is nearest to the pointer; undefined if none is near. */
export function nearestRun<R extends Run>(
  runs: R[],
  axes: Positioned[],
  layout: ParallelLayout,
  pointer: { x: number; y: number },
): R | undefined {
  const rightOf = axes.findIndex((_, index) => layout.x(index) >= pointer.x);
  const end = rightOf < 0 ? axes.length - 1 : Math.max(1, rightOf);
  const [from, to] = [axes[end - 1], axes[end]];
  if (!from || !to) return undefined;
  const [left, right] = [layout.x(end - 1), layout.x(end)];
  const share = Math.min(1, Math.max(0, (pointer.x - left) / (right - left)));
  // Smoothstep is close to the curve of `linePath`.
  const bend = share * share * (3 - 2 * share);
  let nearest: R | undefined;
  let minDistance = REACH;
  for (const run of runs) {
    const [start, stop] = [layout.y(from.position(run)), layout.y(to.position(run))];
    const distance = Math.abs(start + (stop - start) * bend - pointer.y);
    if (distance < minDistance) [nearest, minDistance] = [run, distance];
  }
  return nearest;
}
