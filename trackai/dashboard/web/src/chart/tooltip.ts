// The tooltip of a chart. It changes with every move of the cursor, so it is written straight into
// the page.

import type uPlot from "uplot";
import type { AnyNumber } from "../api/types";
import { nameParts } from "../ui/cut-name";
import { formatDateTime, formatNumber, plural } from "../ui/format";
import { swatchStyle } from "../ui/swatch";
import { band } from "../view/parameters";
import { type Line, rawValue } from "./lines";
import { metricOfAxis } from "./metric-axis";

const MAX_ROWS = 10;
// How far from the cursor, in pixels, a line may end and still be read.
const REACH = 12;

export interface Reading {
  line: Line;
  index: number;
  value: number | null;
  /** The distance from the cursor in pixels. */
  distance: number;
}

/** The point of each line that is nearest to the cursor, the nearest line first. */
export function readLines(plot: uPlot, lines: Line[]): Reading[] {
  const { left, top = 0 } = plot.cursor;
  if (left === undefined || left < 0) return [];
  const readings = lines.flatMap((line) => readLine(plot, line, left, top) ?? []);
  return readings.sort((first, second) => first.distance - second.distance);
}

function readLine(plot: uPlot, line: Line, left: number, top: number): Reading | undefined {
  const x = plot.posToVal(left, "x");
  const index = nearestIndex(line.x, x);
  const pointX = line.x[index];
  if (pointX === undefined) return undefined;
  const isWithin = x >= (line.from[index] as number) && x <= (line.to[index] as number);
  const isEnd = index === 0 || index === line.x.length - 1;
  if (isEnd && !isWithin && Math.abs(plot.valToPos(pointX, "x") - left) > REACH) return undefined;
  const value = line.y[index] ?? null;
  const note = line.notes[index];
  if (value === null && !note) return undefined;
  const toLine = value === null ? Infinity : Math.abs(plot.valToPos(value, "y") - top);
  // The mark of a NaN is at the bottom.
  const toMark = note ? plot.over.clientHeight - top : Infinity;
  const distance = Math.min(Number.isNaN(toLine) ? Infinity : toLine, toMark);
  return { line, index, value, distance };
}

/** The index of the value nearest to `x` in ascending values. */
export function nearestIndex(values: number[], x: number): number {
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] as number) < x) low = middle + 1;
    else high = middle;
  }
  const before = values[low - 1];
  return before !== undefined && x - before <= (values[low] as number) - x ? low - 1 : low;
}

/** Where a point is: its steps and, on another axis, its time. */
export function describePosition({ line, index }: Pick<Reading, "line" | "index">): string {
  const [first, last] = line.steps[index] ?? [null, null];
  const steps = first === null ? "" : first === last ? `step ${first}` : `steps ${first} – ${last}`;
  if (line.axis === "step") return steps;
  const x = line.from[index] as number;
  const place = describeX(line.axis, x);
  return steps ? `${place} · ${steps}` : place;
}

function describeX(axis: Line["axis"], x: number): string {
  if (axis === "time") return formatDateTime(x);
  const metric = metricOfAxis(axis);
  return metric === undefined ? `${Number(x.toFixed(3))} s` : `${metric} ${formatNumber(x)}`;
}

const numberText = (value: AnyNumber, isComputed: boolean): string =>
  isComputed && typeof value === "number" ? formatNumber(value, 6) : String(value);

/** Whether the band of a line is as wide above it as below. */
const hasDeviation = (line: Line): boolean =>
  line.runs !== undefined && (band.value === "deviation" || band.value === "error");

/** More about a point: its value before smoothing, its band, and how many points it is of. */
export function describePoint({ line, index, value }: Omit<Reading, "distance">): string {
  const parts: string[] = [];
  const note = line.notes[index];
  const raw = rawValue(line, index);
  const rawText = raw === null ? (note ?? "–") : numberText(raw, line.runs !== undefined);
  if (line.unsmoothed) parts.push(`unsmoothed ${rawText}`);
  const [low, high] = [line.low?.[index], line.high?.[index]];
  if (typeof low === "number" && typeof high === "number") {
    const text = (bound: number) => numberText(bound, line.runs !== undefined);
    parts.push(hasDeviation(line) ? `± ${text((high - low) / 2)}` : `${text(low)} … ${text(high)}`);
  }
  const count = line.count[index] ?? 1;
  if (line.runs !== undefined) parts.push(`${count} of ${plural(line.runs, "run")}`);
  else if (count > 1) parts.push(plural(count, "point"));
  if (value !== null && note) parts.push(note);
  return parts.join(" · ");
}

/** Show the readings beside the cursor; returns them as text for screen readers. */
export function showReadings(box: HTMLElement, plot: uPlot, readings: Reading[]): string {
  const [nearest] = readings;
  if (!nearest) {
    box.hidden = true;
    return "";
  }
  const shown = readings.slice(0, MAX_ROWS);
  const rows = shown.map((reading, index) => readingRow(reading, index === 0));
  const content = [element("header", describePosition(nearest)), ...rows];
  const description = describePoint(nearest);
  if (description) content.splice(2, 0, element("small", description));
  const hidden = readings.length - shown.length;
  if (hidden > 0) content.push(element("small", `and ${hidden} more`));
  box.replaceChildren(...content);
  box.hidden = false;
  placeBeside(box, plot);
  const texts = shown.map((reading) => `${reading.line.label}: ${valueText(reading)}`);
  return [describePosition(nearest), ...texts].join(", ");
}

/** The value of a line at a point, exactly unless it is computed: smoothed, or of a group. */
export function valueText({ line, index, value }: Omit<Reading, "distance">): string {
  if (value === null) return line.notes[index] ?? "";
  const shown = line.unsmoothed ? value : rawValue(line, index);
  return numberText(shown ?? value, line.unsmoothed !== undefined || line.runs !== undefined);
}

function readingRow(reading: Reading, isNearest: boolean): HTMLElement {
  const { line } = reading;
  const row = element("div", "", isNearest ? "reading nearest" : "reading");
  const swatch = element("i", "", "swatch");
  Object.assign(swatch.style, swatchStyle(line));
  row.append(swatch, cutName(line.label), element("b", valueText(reading)));
  return row;
}

function cutName(name: string): HTMLElement {
  const cut = element("span", "", "cut");
  cut.append(...nameParts(name).map((part) => element("span", part)));
  return cut;
}

function element(tag: string, text = "", className = ""): HTMLElement {
  const created = document.createElement(tag);
  created.textContent = text;
  if (className) created.className = className;
  return created;
}

// Distances of the box from the cursor and from the edge, and its width, in pixels.
const CURSOR_DISTANCE = 14;
const EDGE_DISTANCE = 8;
const MIN_WIDTH = 240;
const MAX_WIDTH = 330;

/** Put the box on the side of the cursor that has room, or below the plot if neither has. */
function placeBeside(box: HTMLElement, plot: uPlot): void {
  const container = (plot.root.closest(".charts, dialog") ?? document.body).getBoundingClientRect();
  const cursor = plot.over.getBoundingClientRect().left + (plot.cursor.left ?? 0);
  const roomRight = container.right - EDGE_DISTANCE - cursor - CURSOR_DISTANCE;
  const roomLeft = cursor - CURSOR_DISTANCE - container.left - EDGE_DISTANCE;
  const room = Math.max(roomLeft, roomRight);
  const isBeside = room >= MIN_WIDTH;
  const maxWidth = isBeside ? room : container.width - 2 * EDGE_DISTANCE;
  box.style.maxWidth = `${Math.min(MAX_WIDTH, maxWidth)}px`;
  const width = box.offsetWidth;
  const beside = width <= roomRight ? cursor + CURSOR_DISTANCE : cursor - CURSOR_DISTANCE - width;
  const left = isBeside ? beside : container.left + EDGE_DISTANCE;
  box.style.left = `${left - plot.root.getBoundingClientRect().left}px`;
  box.style.top = isBeside ? "8px" : "100%";
}
