// Lines as uPlot draws them: bands at the bottom, what was logged above, the line on top.

import uPlot from "uplot";
import type { Range } from "./api";
import type { Line } from "./curves";
import { acrossAxis, FONT, upAxis } from "./marks";
import { extent, fences, padded } from "./scale";

export interface Look {
  logX: boolean;
  logY: boolean;
  clipped: boolean;
  zoom: Range | undefined;
}

/** What the y axis shows, and how much of the lines it leaves out. */
export interface Window {
  range: [number, number] | undefined;
  outside: number;
  below: number;
  of: number;
}

/** Lines that differ in these need a new plot; any other change is new data for the one that is there. */
export function shape(lines: Line[], look: Look): string {
  return JSON.stringify([
    lines.map((one) => [
      one.key,
      one.color,
      one.dash,
      one.axis,
      Boolean(one.plain),
      Boolean(one.low),
    ]),
    look.logX,
    look.logY,
  ]);
}

/** All lines over one x axis; undefined where a line has no point, which is joined over. */
export function join(lines: Line[], look: Look, window: Window): uPlot.AlignedData {
  if (lines.length === 0) return [[]];
  const shown = (values: (number | null)[]) =>
    look.logY ? values.map((one) => (one !== null && one <= 0 ? null : one)) : values;
  const tables = lines.map((line) => {
    const columns: (number | null)[][] = [line.x];
    if (line.low && line.high) columns.push(shown(line.high), lower(line.low, look, window));
    if (line.plain) columns.push(shown(line.plain));
    columns.push(shown(line.y));
    if (!look.logX) return columns;
    const kept = line.x.flatMap((x, at) => (x > 0 ? [at] : []));
    return columns.map((column) => kept.map((at) => column[at] as number | null));
  });
  const joined = uPlot.join(tables as uPlot.AlignedData[]);
  const places = order(lines);
  return [joined[0], ...places.map((at) => joined[at + 1])] as uPlot.AlignedData;
}

/** The lower edge of a band: where a logarithm has no place for it, the bottom of what is shown. */
export function lower(low: (number | null)[], look: Look, { range }: Window): (number | null)[] {
  return look.logY && range ? low.map((one) => (one !== null && one <= 0 ? range[0] : one)) : low;
}

/** In which order the columns of all lines are drawn: all bands, all thin lines, all lines. */
function order(lines: Line[]): number[] {
  const [bands, thin, top]: [number[], number[], number[]] = [[], [], []];
  let at = 0;
  for (const line of lines) {
    if (line.low) bands.push(at++, at++);
    if (line.plain) thin.push(at++);
    top.push(at++);
  }
  return [...bands, ...thin, ...top];
}

export function view(lines: Line[], look: Look): Window {
  const values: number[] = [];
  const band: number[] = [];
  let below = 0;
  for (const line of lines) {
    line.x.forEach((x, at) => {
      if (look.zoom && (x < look.zoom.min || x > look.zoom.max)) return;
      if (look.logX && x <= 0) return;
      const value = line.y[at];
      if (typeof value === "number") {
        if (look.logY && value <= 0) below += 1;
        else values.push(value);
      }
      for (const one of [line.low?.[at], line.high?.[at], line.plain?.[at]]) {
        if (typeof one === "number" && !(look.logY && one <= 0)) band.push(one);
      }
    });
  }
  const inside = look.clipped ? fences(values, look.logY) : undefined;
  const whole = extent(inside ?? [...(extent(values) ?? []), ...(extent(band) ?? [])]);
  const outside = inside ? values.filter((one) => one < inside[0] || one > inside[1]).length : 0;
  return { range: whole && padded(...whole, look.logY), outside, below, of: values.length + below };
}

interface Drawing {
  width: number;
  height: number;
  lines: Line[];
  look: () => Look;
  window: () => Window;
  marks: () => Line[];
  sync: boolean;
  onZoom: (range: Range) => void;
  onPoint: (self: uPlot) => void;
}

export function options(drawing: Drawing): uPlot.Options {
  const { lines, look } = drawing;
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--faint");
  const grid = { stroke: style.getPropertyValue("--grid"), width: 1 };
  const axis = { stroke: ink, grid, ticks: { ...grid, size: 4 }, font: FONT, gap: 4 };
  const time = lines.some((one) => one.axis === "time");
  const { logX, logY } = look();
  const bands = lines.filter((one) => one.low);
  const thin = lines.filter((one) => one.plain);
  const key = `charts by ${lines[0]?.axis}`;
  // A drag is shown in all charts, and each says that it has ended: only the one in somebody's hand zooms.
  let inHand = false;
  return {
    width: drawing.width,
    height: drawing.height,
    legend: { show: false },
    padding: [6, 14, 0, 0],
    cursor: {
      y: false,
      sync: drawing.sync ? { key: uPlot.sync(key).key, scales: ["x", null] } : undefined,
      drag: { x: true, y: false, setScale: false },
      points: { show: false },
      bind: {
        mouseup: (_self, _target, handle) => (event) => {
          inHand = true;
          if (event.button === 0) handle(event);
          inHand = false;
          return null;
        },
      },
    },
    scales: {
      x: {
        time,
        distr: logX ? 3 : 1,
        range: (self) => {
          const { zoom } = look();
          const [xs] = self.data;
          // Not as uPlot has it: it widens what has no width.
          const [low, high] = [xs[0] ?? 1, xs[xs.length - 1] ?? 1];
          if (zoom) return [logX ? Math.max(zoom.min, Number.MIN_VALUE) : zoom.min, zoom.max];
          // A single point stands in the middle.
          return low === high
            ? logX
              ? [low / 2, high * 2]
              : [low - 0.5, high + 0.5]
            : [low, high];
        },
      },
      y: {
        distr: logY ? 3 : 1,
        range: () => drawing.window().range ?? (logY ? [0.1, 10] : [0, 1]),
      },
    },
    axes: [
      { ...axis, ...acrossAxis(lines[0]?.axis ?? "step", logX) },
      { ...axis, ...upAxis(logY) },
    ],
    series: [
      {},
      ...bands.flatMap(() => [
        { points: { show: false }, spanGaps: true, width: 0 },
        { points: { show: false }, spanGaps: true, width: 0 },
      ]),
      ...thin.map((one) => ({
        stroke: `${one.color}48`,
        width: 1,
        spanGaps: true,
        points: { show: false },
      })),
      ...lines.map((one) => ({
        stroke: one.color,
        width: 1.6,
        dash: one.dash.length > 0 ? one.dash : undefined,
        spanGaps: true,
        points: { show: alone, size: 6, fill: one.color },
      })),
    ],
    bands: bands.map((one, at) => ({
      series: [at * 2 + 1, at * 2 + 2] as [number, number],
      fill: one.color + faint(bands.length),
    })),
    hooks: {
      setSelect: [
        (self) => {
          const { left, width } = self.select;
          if (width < 3) return;
          self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          if (inHand)
            drawing.onZoom({
              min: self.posToVal(left, "x"),
              max: self.posToVal(left + width, "x"),
            });
        },
      ],
      setCursor: [drawing.onPoint],
      draw: [(self) => markBad(self, drawing.marks(), style.getPropertyValue("--bad"))],
    },
  };
}

/** How much a band covers: the less, the more of them lie over each other. */
const faint = (bands: number): string =>
  Math.round(Math.max(14, 52 / Math.sqrt(bands)))
    .toString(16)
    .padStart(2, "0");

/** Whether no more than one point of a line is in view: a line has no length then. */
const alone: uPlot.Series.Points.Show = (self, place, first, last) => {
  const values = self.data[place] as (number | null | undefined)[];
  for (let [at, found] = [first, 0]; at <= last; at++) {
    if (typeof values[at] === "number" && ++found > 1) return false;
  }
  return true;
};

/** A mark at the bottom wherever a value was NaN or infinite. */
function markBad(self: uPlot, lines: Line[], ink: string): void {
  const { ctx, bbox } = self;
  const pixel = uPlot.pxRatio;
  ctx.save();
  ctx.fillStyle = ink;
  for (const { bad } of lines) {
    let last = -Infinity;
    for (const x of bad) {
      const at = self.valToPos(x, "x", true);
      if (at < bbox.left || at > bbox.left + bbox.width || at - last < 8 * pixel) continue;
      last = at;
      ctx.beginPath();
      ctx.moveTo(at, bbox.top + bbox.height - 9 * pixel);
      ctx.lineTo(at - 4 * pixel, bbox.top + bbox.height);
      ctx.lineTo(at + 4 * pixel, bbox.top + bbox.height);
      ctx.fill();
    }
  }
  ctx.restore();
}
