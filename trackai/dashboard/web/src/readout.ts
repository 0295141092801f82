// What is under the cursor: written straight into the page, for it changes with every move.

import type uPlot from "uplot";
import type { Line } from "./curves";
import { moment } from "./format";

const ROWS = 10;
// How far from the cursor, in pixels, a line may end and still be read.
const REACH = 12;

interface Reading {
  line: Line;
  at: number;
  value: number | null;
  far: number;
}

/** What each line has nearest to the cursor, the nearest line first. */
export function read(self: uPlot, lines: Line[]): Reading[] {
  const { left, top } = self.cursor;
  if (left === undefined || left < 0) return [];
  const x = self.posToVal(left, "x");
  const found: Reading[] = [];
  for (const line of lines) {
    const at = nearest(line.x, x);
    const here = line.x[at];
    if (here === undefined) continue;
    const [from, to] = [line.from[at] as number, line.to[at] as number];
    const within = x >= from && x <= to;
    const ends = at === 0 || at === line.x.length - 1;
    if (ends && !within && Math.abs(self.valToPos(here, "x") - left) > REACH) continue;
    const value = line.y[at] ?? null;
    if (value === null && !line.words[at]) continue;
    const far = value === null ? NaN : Math.abs(self.valToPos(value, "y") - (top ?? 0));
    // Where a NaN was stands a mark at the bottom: pointing there says whose it is.
    const bottom = line.words[at] ? self.over.clientHeight - (top ?? 0) : Infinity;
    found.push({ line, at, value, far: Math.min(Number.isNaN(far) ? Infinity : far, bottom) });
  }
  return found.sort((one, other) => one.far - other.far);
}

/** The place of the value that is nearest to `x` in ascending values. */
function nearest(values: number[], x: number): number {
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] as number) < x) low = middle + 1;
    else high = middle;
  }
  const before = values[low - 1];
  return before !== undefined && x - before <= (values[low] as number) - x ? low - 1 : low;
}

function where({ line, at }: Reading): string {
  const [first, last] = line.steps[at] ?? [null, null];
  const steps = first === null ? "" : first === last ? `step ${first}` : `steps ${first} – ${last}`;
  if (line.axis === "step") return steps;
  const x = line.from[at] as number;
  const time = line.axis === "time" ? moment(x) : `${Number(x.toFixed(3))} s`;
  return steps ? `${time} · ${steps}` : time;
}

function element(name: string, text = "", className = ""): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

/** Write the readings into a box beside the cursor, and say the same in words. */
export function write(box: HTMLElement, self: uPlot, readings: Reading[]): string {
  const first = readings[0];
  if (!first) {
    box.hidden = true;
    return "";
  }
  const rows = readings.slice(0, ROWS).map((one, place) => {
    const row = element("div", "", place === 0 ? "reading nearest" : "reading");
    const swatch = element("i", "", one.line.dash.length > 0 ? "swatch dashed" : "swatch");
    swatch.style.borderTopColor = one.line.color;
    const value = one.value === null ? (one.line.words[one.at] ?? "") : String(one.value);
    row.append(swatch, element("span", one.line.label), element("b", value));
    return row;
  });
  const said = [element("header", where(first)), ...rows];
  const more = about(first);
  if (more) said.splice(2, 0, element("small", more));
  if (readings.length > ROWS) said.push(element("small", `and ${readings.length - ROWS} more`));
  box.replaceChildren(...said);
  box.hidden = false;
  place(box, self);
  return [
    where(first),
    ...readings
      .slice(0, ROWS)
      .map((one) => `${one.line.label}: ${one.value ?? one.line.words[one.at]}`),
  ].join(", ");
}

// How far the box stands from the cursor and from the edge, and how wide it is.
const [APART, EDGE] = [14, 8];
const [LEAST, MOST] = [240, 330];

/** On a side of the cursor that has room, over other charts too; below the plot where neither has. */
function place(box: HTMLElement, self: uPlot): void {
  const around = (self.root.closest(".charts, dialog") ?? document.body).getBoundingClientRect();
  const cursor = self.over.getBoundingClientRect().left + (self.cursor.left ?? 0);
  const right = around.right - EDGE - cursor - APART;
  const left = cursor - APART - around.left - EDGE;
  const room = Math.max(left, right);
  const beside = room >= LEAST;
  box.style.maxWidth = `${Math.min(MOST, beside ? room : around.width - 2 * EDGE)}px`;
  const width = box.offsetWidth;
  const at = !beside
    ? around.left + EDGE
    : width <= right
      ? cursor + APART
      : cursor - APART - width;
  box.style.left = `${at - self.root.getBoundingClientRect().left}px`;
  box.style.top = beside ? "8px" : "100%";
}

/** More about a point that stands for several. */
function about({ line, at, value }: Reading): string {
  const parts: string[] = [];
  if (line.plain) parts.push(`unsmoothed ${line.plain[at] ?? line.words[at] ?? "–"}`);
  const [low, high] = [line.low?.[at], line.high?.[at]];
  if (typeof low === "number" && typeof high === "number") {
    parts.push(line.runs ? `± ${(high - low) / 2}` : `${low} … ${high}`);
  }
  const count = line.count[at] ?? 1;
  if (line.runs !== undefined) parts.push(`${count} of ${line.runs} runs`);
  else if (count > 1) parts.push(`${count} points`);
  if (value !== null && line.words[at]) parts.push(line.words[at]);
  return parts.join(" · ");
}
