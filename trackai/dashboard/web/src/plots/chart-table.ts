// Logged tables that say how they are drawn, as `trackai.plot` and `wandb.plot` make them.

import { isNumber, plottedNumber } from "../ui/values";

/** A table with a description of its chart. */
export interface ChartTable {
  columns: unknown[];
  data: unknown[][];
  chart?: unknown;
}

export interface Curve {
  /** The name of the line; "" if the chart has one line only. */
  name: string;
  points: [number, number][];
}

interface Titles {
  title: string;
  x: string;
  y: string;
  /** The number of rows without a finite number, which are not drawn. */
  leftOut: number;
}

export interface CurveChart extends Titles {
  kind: "curves";
  /** Whether the points are joined by lines. */
  isLine: boolean;
  curves: Curve[];
  /** Rates from 0 to 1, and what a classifier without knowledge would have. */
  rates: "roc" | "pr" | undefined;
}

export interface BarChart extends Titles {
  kind: "bars";
  bars: { label: string; value: number }[];
}

export interface MatrixChart {
  kind: "matrix";
  title: string;
  labels: string[];
  /** By actual class, then by predicted class. */
  counts: number[][];
}

export type Chart = CurveChart | BarChart | MatrixChart;

interface Description {
  kind: string;
  fields: Record<string, unknown>;
  texts: Record<string, unknown>;
}

type FieldNames = Record<string, string>;

// What wandb calls charts and the roles of columns; ours are the names of `trackai.plot`.
const KINDS: Record<string, string> = {
  "wandb/line/v0": "line",
  "wandb/lineseries/v0": "line_series",
  "wandb/scatter/v0": "scatter",
  "wandb/bar/v0": "bar",
  "wandb/histogram/v0": "histogram",
  "wandb/area-under-curve/v0": "roc_curve",
  "wandb/confusion_matrix/v1": "confusion_matrix",
};
const ROLES: FieldNames = {
  stroke: "line",
  class: "line",
  step: "x",
  lineKey: "line",
  lineVal: "y",
  Actual: "actual",
  Predicted: "predicted",
  nPredictions: "count",
};
const BINS = 20;
// More classes make a square of cells that are too small to be read.
export const MAX_CLASSES = 200;

/** The kind of chart that a table asks for; undefined for a plain table. */
export const chartKind = ({ chart }: ChartTable): string | undefined => describe(chart)?.kind;

function describe(chart: unknown): Description | undefined {
  const { kind, fields, texts } = (chart ?? {}) as Partial<Description>;
  return typeof kind === "string" ? { kind, fields: fields ?? {}, texts: texts ?? {} } : undefined;
}

/** The chart of a table; undefined if it has none, or one of an unknown kind. */
export function readChart(table: ChartTable): Chart | undefined {
  const description = describe(table.chart);
  if (!description) return undefined;
  const kind = KINDS[description.kind] ?? description.kind;
  const names = roleNames(description.fields);
  const column = (role: string): unknown[] | undefined => {
    const index = table.columns.indexOf(names[role]);
    return index < 0 ? undefined : table.data.map((row) => row[index]);
  };
  const text = (role: string) => String(description.texts[role] ?? "");
  const titles = {
    title: text("title"),
    x: text("x") || text("xname") || (names.x ?? ""),
    y: text("y") || (names.y ?? ""),
    leftOut: 0,
  };
  if (kind === "confusion_matrix") return readMatrix(column, titles.title);
  if (kind === "bar") return readBars(column, { ...titles, y: names.value ?? "" });
  if (kind === "histogram") return readHistogram(column, { ...titles, x: names.value ?? "" });
  if (["line", "line_series", "scatter", "roc_curve", "pr_curve"].includes(kind)) {
    return readCurves(kind, column, titles);
  }
  return undefined;
}

function roleNames(fields: Record<string, unknown>): FieldNames {
  const names: FieldNames = {};
  for (const [role, column] of Object.entries(fields)) {
    names[ROLES[role] ?? role] = String(column);
  }
  return names;
}

type Column = (role: string) => unknown[] | undefined;

function readCurves(kind: string, column: Column, titles: Titles): CurveChart | undefined {
  const [xs, ys, lines] = [column("x"), column("y"), column("line")];
  if (!xs || !ys) return undefined;
  const curves = new Map<string, Curve>();
  ys.forEach((value, row) => {
    const [x, y] = [finite(xs[row]), finite(value)];
    const name = lines ? String(lines[row]) : "";
    const curve = curves.get(name) ?? { name, points: [] };
    curves.set(name, curve);
    if (x !== undefined && y !== undefined) curve.points.push([x, y]);
  });
  const drawn = [...curves.values()].reduce((sum, { points }) => sum + points.length, 0);
  const rates = kind === "roc_curve" ? "roc" : kind === "pr_curve" ? "pr" : undefined;
  const all = [...curves.values()];
  if (kind === "line") for (const { points } of all) points.sort(([left], [right]) => left - right);
  return {
    kind: "curves",
    isLine: kind !== "scatter",
    curves: all,
    rates,
    ...titles,
    leftOut: ys.length - drawn,
  };
}

function finite(value: unknown): number | undefined {
  const number = plottedNumber(value);
  return number !== null && Number.isFinite(number) ? number : undefined;
}

function readBars(column: Column, titles: Titles): BarChart | undefined {
  const [labels, values] = [column("label"), column("value")];
  if (!labels || !values) return undefined;
  const bars = values.flatMap((value, row) => {
    const number = finite(value);
    return number === undefined ? [] : [{ label: String(labels[row]), value: number }];
  });
  return { kind: "bars", bars, ...titles, leftOut: values.length - bars.length };
}

function readHistogram(column: Column, titles: Titles): BarChart | undefined {
  const cells = column("value");
  if (!cells) return undefined;
  const values = cells.flatMap((value) => finite(value) ?? []);
  const low = values.reduce((least, value) => Math.min(least, value), Infinity);
  const high = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const width = (high - low) / BINS || 1;
  const counts = new Array<number>(values.length > 0 ? BINS : 0).fill(0);
  for (const value of values) {
    const bin = Math.min(BINS - 1, Math.floor((value - low) / width));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const edge = (bin: number) => Number((low + bin * width).toPrecision(3));
  const bars = counts.map((value, bin) => ({ label: `${edge(bin)} to ${edge(bin + 1)}`, value }));
  const leftOut = cells.length - values.length;
  return { kind: "bars", bars, ...titles, y: "count", leftOut };
}

function readMatrix(column: Column, title: string): MatrixChart | undefined {
  const [actual, predicted, count] = [column("actual"), column("predicted"), column("count")];
  if (!actual || !predicted || !count) return undefined;
  const labels = [...new Set([...actual, ...predicted].map(String))];
  const index = new Map(labels.map((label, place) => [label, place]));
  const counts = labels.map(() => new Array<number>(labels.length).fill(0));
  count.forEach((value, row) => {
    const cells = counts[index.get(String(actual[row])) as number] as number[];
    const place = index.get(String(predicted[row])) as number;
    if (isNumber(value)) cells[place] = (cells[place] ?? 0) + Number(value);
  });
  return { kind: "matrix", title, labels, counts };
}

/** The area under a curve, by the trapezoidal rule. */
export function areaUnder(points: [number, number][]): number {
  const sorted = [...points].sort(([left], [right]) => left - right);
  return sorted.slice(1).reduce((area, [x, y], index) => {
    const [before, height] = sorted[index] as [number, number];
    return area + ((x - before) * (y + height)) / 2;
  }, 0);
}
