// A chart as a picture of its own: drawn again from its data, on white, with a legend.

import type { Line } from "./curves";
import { lower } from "./draw";
import { clock } from "./format";
import type { Drawn } from "./plot";
import { extent, labels, scale, type Scale } from "./scale";

const WIDTH = 900;
const HEIGHT = 460;
const LEFT = 78;
const RIGHT = 18;
const TOP = 44;
const FOOT = 48;
const ROW = 18;
const FONT = "system-ui, 'Segoe UI', Helvetica, Arial, sans-serif";

const escape = (text: string): string =>
  text.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);

/** An SVG of what a chart shows. */
export function svg(title: string, { lines, look, window }: Drawn): string {
  const columns = Math.max(1, Math.floor((WIDTH - LEFT - RIGHT) / 240));
  const rows = Math.ceil(lines.length / columns);
  const total = HEIGHT + rows * ROW + 12;
  const shown = extent(lines.flatMap((one) => one.x.filter((x) => !look.logX || x > 0))) ?? [0, 1];
  const [low, high] = look.zoom ? [look.zoom.min, look.zoom.max] : shown;
  const across = scale(low, high === low ? low + 1 : high, look.logX, 8);
  const up = scale(...(window.range ?? ([0, 1] as [number, number])), look.logY, 6);
  const place: Place = {
    x: (value) => round(LEFT + across.at(value) * (WIDTH - LEFT - RIGHT)),
    y: (value) => round(HEIGHT - FOOT - up.at(value) * (HEIGHT - FOOT - TOP)),
    logX: look.logX,
    logY: look.logY,
  };
  const axis = lines[0]?.axis ?? "step";
  const name = axis === "step" ? "step" : axis === "time" ? "time" : "seconds since the run began";
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${total}" viewBox="0 0 ${WIDTH} ${total}" role="img" aria-label="${escape(title)}">`,
    `<rect width="${WIDTH}" height="${total}" fill="#ffffff"/>`,
    `<g font-size="12" font-family="${FONT}" fill="#444444">`,
    `<text x="${LEFT}" y="24" font-size="15" font-weight="600" fill="#111111">${escape(title)}</text>`,
    ...frame(across, up, place, axis === "time"),
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 10}" text-anchor="middle">${name}</text>`,
    `<clipPath id="inside"><rect x="${LEFT}" y="${TOP}" width="${WIDTH - LEFT - RIGHT}" height="${HEIGHT - FOOT - TOP}"/></clipPath>`,
    `<g clip-path="url(#inside)" fill="none" stroke-linejoin="round">`,
    ...lines.map((one) => band(one, one.low && lower(one.low, look, window), place)),
    ...lines.map((one) => (one.plain ? path(one, one.plain, place, 1, 0.3) : "")),
    ...lines.map((one) => path(one, one.y, place, 1.6, 1)),
    ...lines.flatMap((one) => one.bad.map((x) => mark(place.x(x)))),
    "</g>",
    ...lines.map((one, at) => {
      const x = LEFT + (at % columns) * ((WIDTH - LEFT - RIGHT) / columns);
      const y = HEIGHT + Math.floor(at / columns) * ROW + 6;
      const label = one.label.length > 32 ? `${one.label.slice(0, 31)}…` : one.label;
      return `<line x1="${round(x)}" x2="${round(x + 22)}" y1="${y}" y2="${y}" stroke="${one.color}" stroke-width="2"${dashes(one)}/><text x="${round(x + 28)}" y="${y + 4}">${escape(label)}</text>`;
    }),
    "</g></svg>",
  ];
  return parts.filter(Boolean).join("\n");
}

interface Place {
  x: (value: number) => number;
  y: (value: number) => number;
  logX: boolean;
  logY: boolean;
}

const round = (value: number): number => Math.round(value * 100) / 100;
const dashes = (line: Line): string =>
  line.dash.length > 0 ? ` stroke-dasharray="${line.dash.join(" ")}"` : "";

function frame(across: Scale, up: Scale, place: Place, time: boolean): string[] {
  const bottom = HEIGHT - FOOT;
  const said = time ? across.ticks.map(clock) : labels(across.ticks);
  const saidUp = labels(up.ticks);
  return [
    ...up.ticks.map((value, at) => {
      const y = place.y(value);
      return `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}" stroke="#e4e6ea"/><text x="${LEFT - 8}" y="${y + 4}" text-anchor="end">${saidUp[at]}</text>`;
    }),
    ...across.ticks.map((value, at) => {
      const x = place.x(value);
      return `<line x1="${x}" x2="${x}" y1="${TOP}" y2="${bottom}" stroke="#eef0f2"/><text x="${x}" y="${bottom + 16}" text-anchor="middle">${said[at]}</text>`;
    }),
    `<path d="M${LEFT} ${TOP}V${bottom}H${WIDTH - RIGHT}" fill="none" stroke="#8a929c"/>`,
  ];
}

/** The points of a line that the scales can show. */
function points(line: Line, values: (number | null)[], place: Place): string[] {
  const found: string[] = [];
  values.forEach((value, at) => {
    const x = line.x[at] as number;
    if (value === null || (place.logY && value <= 0) || (place.logX && x <= 0)) return;
    found.push(`${place.x(x)} ${place.y(value)}`);
  });
  return found;
}

function path(
  line: Line,
  values: (number | null)[],
  place: Place,
  width: number,
  opacity: number,
): string {
  const found = points(line, values, place);
  const [only] = found;
  if (!only) return "";
  if (found.length === 1) {
    const [x, y] = only.split(" ");
    return `<circle cx="${x}" cy="${y}" r="3" fill="${line.color}"/>`;
  }
  return `<path d="M${found.join("L")}" stroke="${line.color}" stroke-width="${width}" stroke-opacity="${opacity}"${dashes(line)}/>`;
}

function band(line: Line, low: (number | null)[] | undefined, place: Place): string {
  if (!low || !line.high) return "";
  const [over, under] = [points(line, line.high, place), points(line, low, place).reverse()];
  return over.length > 1
    ? `<path d="M${[...over, ...under].join("L")}Z" fill="${line.color}" fill-opacity="0.15"/>`
    : "";
}

const mark = (x: number): string => {
  const bottom = HEIGHT - FOOT;
  return `<path d="M${x} ${bottom - 9}L${round(x - 4)} ${bottom}L${round(x + 4)} ${bottom}Z" fill="#b3261e"/>`;
};

/** The same as a picture of pixels, twice as fine as a screen. */
export async function png(title: string, drawn: Drawn): Promise<Blob> {
  const address = URL.createObjectURL(new Blob([svg(title, drawn)], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth * 2, image.naturalHeight * 2];
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) => {
      canvas.toBlob(
        (blob) => (blob ? resolve(blob) : reject(new Error("the picture is too large"))),
        "image/png",
      );
    });
  } finally {
    URL.revokeObjectURL(address);
  }
}
