// A chart as an image file: drawn again from its data, on white, with a legend.

import { formatTime } from "../ui/format";
import { extent } from "../ui/values";
import type { Line } from "./lines";
import { axisName } from "./metric-axis";
import { makeScale, type Scale } from "./scale";
import { tickLabels } from "./ticks";
import { bandBottom, type DrawnChart } from "./y-range";

const WIDTH = 900;
const HEIGHT = 460;
const LEFT = 78;
const RIGHT = 18;
const TOP = 44;
const BOTTOM = 48;
const PLOT_WIDTH = WIDTH - LEFT - RIGHT;
const PLOT_HEIGHT = HEIGHT - BOTTOM - TOP;
const PLOT_END = HEIGHT - BOTTOM;
const LEGEND_ROW = 18;
const LEGEND_COLUMN = 240;
const LEGEND_COLUMNS = Math.max(1, Math.floor(PLOT_WIDTH / LEGEND_COLUMN));
const MAX_LABEL = 32;
const FONT = "system-ui, 'Segoe UI', Helvetica, Arial, sans-serif";

/** The scales of a chart, and the pixels of its values. */
interface Plane {
  xScale: Scale;
  yScale: Scale;
  x: (value: number) => number;
  y: (value: number) => number;
  isDrawable: (x: number, value: number | null) => value is number;
}

export function chartSvg(title: string, drawn: DrawnChart): string {
  const { lines, view, yRange } = drawn;
  const axis = lines[0]?.axis ?? "step";
  const plane = makePlane(drawn);
  const height = HEIGHT + Math.ceil(lines.length / LEGEND_COLUMNS) * LEGEND_ROW + 12;
  const name = escapeXml(title);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" ` +
      `viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${name}">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<g font-size="12" font-family="${FONT}" fill="#444444">`,
    `<text x="${LEFT}" y="24" font-size="15" font-weight="600" fill="#111111">${name}</text>`,
    ...frame(plane, axis === "time"),
    text(LEFT + PLOT_WIDTH / 2, HEIGHT - 10, escapeXml(axisName(axis)), "middle"),
    `<clipPath id="inside"><rect x="${LEFT}" y="${TOP}" width="${PLOT_WIDTH}" ` +
      `height="${PLOT_HEIGHT}"/></clipPath>`,
    `<g clip-path="url(#inside)" fill="none" stroke-linejoin="round">`,
    ...lines.map((line) => band(line, line.low && bandBottom(line.low, view, yRange), plane)),
    ...lines.map((line) => (line.unsmoothed ? path(line, line.unsmoothed, plane, 1, 0.3) : "")),
    ...lines.map((line) => path(line, line.y, plane, 1.6, 1)),
    ...lines.flatMap((line) => line.nonFinite.map((x) => nonFiniteMark(plane.x(x)))),
    "</g>",
    ...lines.map(legendEntry),
    "</g></svg>",
  ];
  return parts.filter(Boolean).join("\n");
}

function makePlane({ lines, view, yRange }: DrawnChart): Plane {
  const xs = lines.flatMap((line) => line.x.filter((x) => !view.logX || x > 0));
  const [low, high] = view.zoom ? [view.zoom.min, view.zoom.max] : (extent(xs) ?? [0, 1]);
  const xScale = makeScale(low, high === low ? low + 1 : high, view.logX, 8);
  const [bottom, top] = yRange.range ?? [0, 1];
  const yScale = makeScale(bottom, top, view.logY, 6);
  return {
    xScale,
    yScale,
    x: (value) => round(LEFT + xScale.position(value) * PLOT_WIDTH),
    y: (value) => round(PLOT_END - yScale.position(value) * PLOT_HEIGHT),
    isDrawable: (x, value): value is number =>
      value !== null && !(view.logY && value <= 0) && !(view.logX && x <= 0),
  };
}

const round = (value: number): number => Math.round(value * 100) / 100;

const escapeXml = (raw: string): string =>
  raw.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const text = (x: number, y: number, content: string | undefined, anchor: string): string =>
  `<text x="${x}" y="${y}" text-anchor="${anchor}">${content}</text>`;

const dashArray = (line: Line): string =>
  line.dash.length > 0 ? ` stroke-dasharray="${line.dash.join(" ")}"` : "";

function frame({ xScale, yScale, x, y }: Plane, isTime: boolean): string[] {
  const xLabels = isTime ? xScale.ticks.map(formatTime) : tickLabels(xScale.ticks);
  const yLabels = tickLabels(yScale.ticks);
  const end = WIDTH - RIGHT;
  return [
    ...yScale.ticks.map((tick, index) => {
      const top = y(tick);
      const line = `<line x1="${LEFT}" x2="${end}" y1="${top}" y2="${top}" stroke="#e4e6ea"/>`;
      return line + text(LEFT - 8, top + 4, yLabels[index], "end");
    }),
    ...xScale.ticks.map((tick, index) => {
      const left = x(tick);
      const ends = `x1="${left}" x2="${left}" y1="${TOP}" y2="${PLOT_END}"`;
      const line = `<line ${ends} stroke="#eef0f2"/>`;
      return line + text(left, PLOT_END + 16, xLabels[index], "middle");
    }),
    `<path d="M${LEFT} ${TOP}V${PLOT_END}H${end}" fill="none" stroke="#8a929c"/>`,
  ];
}

function legendEntry(line: Line, index: number): string {
  const x = LEFT + (index % LEGEND_COLUMNS) * (PLOT_WIDTH / LEGEND_COLUMNS);
  const y = HEIGHT + Math.floor(index / LEGEND_COLUMNS) * LEGEND_ROW + 6;
  const { label, color } = line;
  const short = label.length > MAX_LABEL ? `${label.slice(0, MAX_LABEL - 1)}…` : label;
  return (
    `<line x1="${round(x)}" x2="${round(x + 22)}" y1="${y}" y2="${y}" stroke="${color}" ` +
    `stroke-width="2"${dashArray(line)}/>` +
    `<text x="${round(x + 28)}" y="${y + 4}">${escapeXml(short)}</text>`
  );
}

/** The pixels of the points that the scales can show, in pieces without a gap. */
function pieces(line: Line, values: (number | null)[], { x, y, isDrawable }: Plane): string[][] {
  const all: string[][] = [[]];
  values.forEach((value, index) => {
    const lineX = line.x[index] as number;
    if (isDrawable(lineX, value)) all[all.length - 1]?.push(`${x(lineX)} ${y(value)}`);
    else all.push([]);
  });
  return all.filter((piece) => piece.length > 0);
}

function path(
  line: Line,
  values: (number | null)[],
  plane: Plane,
  width: number,
  opacity: number,
): string {
  const drawn = pieces(line, values, plane);
  const lone = drawn.filter((piece) => piece.length === 1).flat();
  const dots = lone.map((point) => {
    const [x, y] = point.split(" ");
    return `<circle cx="${x}" cy="${y}" r="3" fill="${line.color}"/>`;
  });
  const long = drawn.filter((piece) => piece.length > 1);
  if (long.length === 0) return dots.join("");
  const outline = long.map((piece) => `M${piece.join("L")}`).join("");
  return (
    `<path d="${outline}" stroke="${line.color}" stroke-width="${width}" ` +
    `stroke-opacity="${opacity}"${dashArray(line)}/>${dots.join("")}`
  );
}

function band(line: Line, low: (number | null)[] | undefined, plane: Plane): string {
  if (!low || !line.high) return "";
  const upper = pieces(line, line.high, plane).flat();
  if (upper.length < 2) return "";
  const outline = [...upper, ...pieces(line, low, plane).flat().reverse()].join("L");
  return `<path d="M${outline}Z" fill="${line.color}" fill-opacity="0.15"/>`;
}

const nonFiniteMark = (x: number): string =>
  `<path d="M${x} ${PLOT_END - 9}L${round(x - 4)} ${PLOT_END}L${round(x + 4)} ${PLOT_END}Z" ` +
  `fill="#b3261e"/>`;

/** The same chart as a PNG, with two pixels for one of the SVG. */
export async function chartPng(title: string, drawn: DrawnChart): Promise<Blob> {
  const source = new Blob([chartSvg(title, drawn)], { type: "image/svg+xml" });
  const url = URL.createObjectURL(source);
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth * 2;
    canvas.height = image.naturalHeight * 2;
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) => {
      canvas.toBlob(
        (blob) => (blob ? resolve(blob) : reject(new Error("The image is too large"))),
        "image/png",
      );
    });
  } finally {
    URL.revokeObjectURL(url);
  }
}
