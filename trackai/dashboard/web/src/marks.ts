// What is written along the axes of charts, and where.

import type uPlot from "uplot";
import type { XAxis } from "./api";
import { clock, day } from "./format";
import { labels, logTicks, ticks } from "./scale";

const pen = document.createElement("canvas").getContext("2d") as CanvasRenderingContext2D;

/** How many pixels wide a text is. */
export function widthOf(text: string, font: string): number {
  pen.font = font;
  return pen.measureText(text).width;
}

export const FONT = "11px system-ui";
const widest = (said: string[]): number => Math.max(0, ...said.map((one) => widthOf(one, FONT)));

export function acrossAxis(axis: XAxis, log: boolean): uPlot.Axis {
  // Below the time of day stands the day.
  if (axis === "time") {
    return {
      size: 42,
      space: 64,
      values: (self, at, _axis, _space, every) => fitting(self, at, times(at, every)),
    };
  }
  const unit = (span: number) => (axis !== "relative" ? undefined : log ? SECONDS : unitOf(span));
  const say = (at: number[], span: number) => {
    const one = unit(span);
    return one
      ? labels(at.map((value) => value / one[0])).map((said) => `${said} ${one[1]}`)
      : labels(at);
  };
  return {
    size: 26,
    splits: (self, _axis, low, high) => {
      const [size] = unit(high - low) ?? [1];
      const fit = (apart: number) =>
        (log ? logTicks : ticks)(low / size, high / size, Math.max(2, self.width / apart)).map(
          (one) => one * size,
        );
      const found = fit(APART);
      const wide = widest(say(found, high - low)) + 14;
      return wide > APART ? fit(wide) : found;
    },
    values: (self, at) =>
      fitting(self, at, say(at, (self.scales.x?.max ?? 0) - (self.scales.x?.min ?? 0))),
    incrs: any,
    filter: all,
  };
}

export function upAxis(log: boolean): uPlot.Axis {
  return {
    size: (_, values) => 14 + widest(["000", ...(values ?? [])]),
    splits: (self, _axis, low, high) =>
      (log ? logTicks : ticks)(low, high, Math.max(2, self.height / 38)),
    values: (_, at) => labels(at),
    incrs: any,
    filter: all,
  };
}

const APART = 58;

const all: uPlot.Axis.Filter = (_, at) => at;

/** One step that always fits: uPlot leaves an axis out where none of its own does, and ticks stand elsewhere anyway. */
const any: uPlot.Axis.Incrs = (_self, _axis, low, high) => [Math.max(5, high - low)];

const SECONDS = [1, "s"] as const;

/** In what a time that has passed is counted. */
const unitOf = (span: number): readonly [number, string] =>
  (
    [
      [86400, "d"],
      [3600, "h"],
      [60, "min"],
    ] as const
  ).find(([size]) => span >= 2 * size) ?? SECONDS;

/** Times of day, and the day where it is another than before. */
function times(at: number[], every: number): string[] {
  return at.map((one, place) => {
    const today = day(one);
    if (every >= 86400) return today;
    const part = every >= 1 ? "" : (one % 1).toFixed(every >= 0.1 ? 1 : 3).slice(1);
    const time = clock(one).slice(0, every >= 60 ? 5 : 8) + part;
    return place > 0 && today === day(at[place - 1] as number) ? time : `${time}\n${today}`;
  });
}

/** Nothing where it would lie over the edge, or over another label; of a logarithm's, powers of ten go first. */
function fitting(self: uPlot, at: number[], said: string[]): string[] {
  const from = self.bbox.left / devicePixelRatio;
  const taken: (readonly [number, number])[] = [];
  const fits = (place: number): boolean => {
    const middle = from + self.valToPos(at[place] as number, "x");
    const lines = (said[place] as string).split("\n");
    if (middle + widest(lines) / 2 > self.width) return false;
    const half = widest(lines.slice(0, 1)) / 2 + 3;
    if (taken.some(([left, right]) => middle - half < right && middle + half > left)) return false;
    taken.push([middle - half, middle + half]);
    return true;
  };
  const round = (place: number) => Number(Number.isInteger(Math.log10(at[place] as number)));
  const kept = new Set(
    at
      .map((_, place) => place)
      .sort((one, other) => round(other) - round(one))
      .filter(fits),
  );
  return said.map((one, place) => (kept.has(place) ? one : ""));
}
