// A smooth surface over two axes: the mean of a value over the runs that are near.

import type { Axis } from "../compare/axis";

/** The cells of a numeric axis. A categorical one has a cell for each category. */
const CELLS = 48;
// The standard deviation of the kernel in cells: 4 % of an axis.
const SIGMA = 2;
const REACH = 3 * SIGMA;
// Cells further from all runs than this, in standard deviations, are blank.
const FAR = 2;
const LEVELS = 8;

export interface ContourPoint {
  /** From 0 to 1. */
  x: number;
  y: number;
  /** The position of the value on the colour scale. */
  value: number;
}

export interface Surface {
  columns: number;
  rows: number;
  /** By row and column; NaN where no run is near. */
  values: Float64Array;
}

export const cellsOf = ({ isCategorical, ticks, categories }: Axis): number =>
  isCategorical ? Math.max(1, categories ?? ticks.length) : CELLS;

/** The cell of a position. */
export const cellAt = (position: number, cells: number, isCategorical: boolean): number =>
  isCategorical
    ? Math.round(position * (cells - 1))
    : Math.min(cells - 1, Math.max(0, Math.floor(position * cells)));

/** The mean of the points near each cell; categories are not mixed. */
export function makeSurface(points: ContourPoint[], xAxis: Axis, yAxis: Axis): Surface {
  const [columns, rows] = [cellsOf(xAxis), cellsOf(yAxis)];
  let sums: Float64Array = new Float64Array(columns * rows);
  let weights: Float64Array = new Float64Array(columns * rows);
  for (const { x, y, value } of points) {
    const column = cellAt(x, columns, xAxis.isCategorical);
    const cell = cellAt(y, rows, yAxis.isCategorical) * columns + column;
    sums[cell] = (sums[cell] as number) + value;
    weights[cell] = (weights[cell] as number) + 1;
  }
  if (!xAxis.isCategorical) {
    sums = blurred(sums, columns, rows, 1, columns);
    weights = blurred(weights, columns, rows, 1, columns);
  }
  if (!yAxis.isCategorical) {
    sums = blurred(sums, rows, columns, columns, 1);
    weights = blurred(weights, rows, columns, columns, 1);
  }
  const least = Math.exp((-FAR * FAR) / 2);
  const values = sums.map((sum, cell) => {
    const weight = weights[cell] as number;
    return weight >= least ? sum / weight : Number.NaN;
  });
  return { columns, rows, values };
}

/** Blur along one axis: `step` is from cell to cell, `stride` from line to line. */
function blurred(
  cells: Float64Array,
  length: number,
  lines: number,
  step: number,
  stride: number,
): Float64Array {
  const kernel = Array.from({ length: REACH + 1 }, (_, offset) =>
    Math.exp((-offset * offset) / (2 * SIGMA * SIGMA)),
  );
  const result = new Float64Array(cells.length);
  for (let line = 0; line < lines; line++) {
    for (let at = 0; at < length; at++) {
      const value = cells[line * stride + at * step] as number;
      if (value === 0) continue;
      const last = Math.min(length - 1, at + REACH);
      for (let to = Math.max(0, at - REACH); to <= last; to++) {
        const cell = line * stride + to * step;
        result[cell] = (result[cell] as number) + value * (kernel[Math.abs(to - at)] as number);
      }
    }
  }
  return result;
}

/** From (x1, y1) to (x2, y2), in cells. */
export type Segment = [x1: number, y1: number, x2: number, y2: number];

/** Lines of equal value through the centres of the cells, by marching squares. */
export function contourLines({ columns, rows, values }: Surface): Segment[] {
  const present = values.filter((value) => !Number.isNaN(value));
  if (present.length === 0) return [];
  const low = present.reduce((least, value) => Math.min(least, value));
  const high = present.reduce((greatest, value) => Math.max(greatest, value));
  const segments: Segment[] = [];
  for (let level = 1; level < LEVELS; level++) {
    const height = low + ((high - low) * level) / LEVELS;
    for (let row = 0; row + 1 < rows; row++) {
      for (let column = 0; column + 1 < columns; column++) {
        segments.push(...crossings(values, columns, row, column, height));
      }
    }
  }
  return segments;
}

function crossings(
  values: Float64Array,
  columns: number,
  row: number,
  column: number,
  height: number,
): Segment[] {
  const corners = [
    [0, 0],
    [1, 0],
    [1, 1],
    [0, 1],
  ].map(([x = 0, y = 0]) => {
    const value = values[(row + y) * columns + column + x] as number;
    return [column + x, row + y, value - height] as const;
  });
  const points: [number, number][] = [];
  for (const [index, [x, y, above]] of corners.entries()) {
    const [nextX, nextY, nextAbove] = corners[(index + 1) % 4] as (typeof corners)[number];
    if (Number.isNaN(above) || Number.isNaN(nextAbove)) return [];
    if (above < 0 === nextAbove < 0) continue;
    const share = above / (above - nextAbove);
    points.push([x + share * (nextX - x), y + share * (nextY - y)]);
  }
  const [first, second, third, fourth] = points;
  if (!first || !second) return [];
  const segments: Segment[] = [[...first, ...second]];
  if (third && fourth) segments.push([...third, ...fourth]);
  return segments;
}
