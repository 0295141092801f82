// The geometry of the scatter plot, in pixels.

import type { Axis } from "./axis";
import type { ComparedRun } from "./compared-runs";

export const HEIGHT = 330;
export const LEFT = 62;
export const RIGHT = 14;
export const TOP = 12;
export const BOTTOM = 44;

export interface ScatterPoint {
  run: ComparedRun;
  x: number;
  y: number;
}

/** Words keep a distance from the edges; numbers have a margin already. */
const inset = ({ isCategorical }: Axis, position: number): number =>
  isCategorical ? 0.06 + position * 0.88 : position;

export const xOf = (axis: Axis, position: number, width: number): number =>
  LEFT + inset(axis, position) * (width - LEFT - RIGHT);

export const yOf = (axis: Axis, position: number, height: number): number =>
  height - BOTTOM - inset(axis, position) * (height - BOTTOM - TOP);

/** The runs that have a position on both axes. */
export function makePoints(
  runs: ComparedRun[],
  xAxis: Axis,
  yAxis: Axis,
  width: number,
  height = HEIGHT,
): ScatterPoint[] {
  return runs.flatMap((run) => {
    const [across, up] = [xAxis.position(run), yAxis.position(run)];
    if (across === undefined || up === undefined) return [];
    return [{ run, x: xOf(xAxis, across, width), y: yOf(yAxis, up, height) }];
  });
}

/** The point nearest to a place within `reach`; undefined if there is none. */
export function nearestPoint(
  points: ScatterPoint[],
  x: number,
  y: number,
  reach: number,
): ScatterPoint | undefined {
  let nearest: ScatterPoint | undefined;
  let minDistance = reach;
  for (const point of points) {
    const distance = Math.hypot(point.x - x, point.y - y);
    if (distance < minDistance) [nearest, minDistance] = [point, distance];
  }
  return nearest;
}

/** The next point to the right (1) or to the left (-1) of a run; the first or last without one. */
export function pointBeside(
  points: ScatterPoint[],
  runId: number | undefined,
  step: number,
): ScatterPoint | undefined {
  const sorted = [...points].sort(
    (left, right) => left.x - right.x || right.y - left.y || left.run.id - right.run.id,
  );
  const index = sorted.findIndex((point) => point.run.id === runId);
  if (index < 0) return step > 0 ? sorted[0] : sorted.at(-1);
  return sorted[Math.min(sorted.length - 1, Math.max(0, index + step))];
}
