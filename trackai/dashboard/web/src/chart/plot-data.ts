// Lines as the columns that uPlot draws: bands at the bottom, then unsmoothed values, then lines.

import uPlot from "uplot";
import type { Line } from "./lines";
import { bandBottom, type ChartView, type YRange } from "./y-range";

/** A plot is reused for new data while this stays the same. */
export function plotShape(lines: Line[], view: ChartView): string {
  const shapes = lines.map((line) => [
    line.key,
    line.color,
    line.dash,
    line.axis,
    line.unsmoothed !== undefined,
    line.low !== undefined,
  ]);
  return JSON.stringify([shapes, view.logX, view.logY]);
}

/**
 * All lines over one x axis. Where a line has no point, it is undefined, and uPlot draws across;
 * where its value cannot be drawn, it is null, which is a gap.
 */
export function plotData(lines: Line[], view: ChartView, yRange: YRange): uPlot.AlignedData {
  if (lines.length === 0) return [[]];
  const tables = lines.map((line) => lineColumns(line, view, yRange));
  const joined = uPlot.join(tables as uPlot.AlignedData[]);
  const columns = drawingOrder(lines).map((column) => joined[column + 1]);
  return [joined[0], ...columns] as uPlot.AlignedData;
}

function lineColumns(line: Line, view: ChartView, yRange: YRange): (number | null)[][] {
  const drawable = (values: (number | null)[]) =>
    view.logY ? values.map((value) => (value !== null && value <= 0 ? null : value)) : values;
  const columns: (number | null)[][] = [line.x];
  if (line.low && line.high) {
    columns.push(drawable(line.high), bandBottom(line.low, view, yRange));
  }
  if (line.unsmoothed) columns.push(drawable(line.unsmoothed));
  columns.push(drawable(line.y));
  if (!view.logX) return columns;
  return columns.map((column) => column.filter((_, index) => (line.x[index] as number) > 0));
}

/** The columns of all lines in drawing order: all bands, all unsmoothed values, all lines. */
export function drawingOrder(lines: Pick<Line, "low" | "unsmoothed">[]): number[] {
  const [bands, unsmoothed, tops]: [number[], number[], number[]] = [[], [], []];
  let column = 0;
  for (const line of lines) {
    if (line.low) bands.push(column++, column++);
    if (line.unsmoothed) unsmoothed.push(column++);
    tops.push(column++);
  }
  return [...bands, ...unsmoothed, ...tops];
}

/** The indices of points without a neighbour to draw a line to; null if there are none. */
export function lonePoints(values: (number | null | undefined)[]): number[] | null {
  const lone: number[] = [];
  let [start, length] = [0, 0];
  [...values, null].forEach((value, index) => {
    if (value === undefined) return;
    if (value === null) {
      if (length === 1) lone.push(start);
      length = 0;
    } else if (length++ === 0) start = index;
  });
  return lone.length > 0 ? lone : null;
}
