// Charts as CSV: the data that is drawn, or all points as they were logged.

import { getPoints } from "../api/charts";
import type { PointPage } from "../api/types";
import { type Band, band } from "../view/parameters";
import { type Line, rawValue } from "./lines";
import { metricOfAxis } from "./metric-axis";
import type { DrawnChart } from "./y-range";

// The most points that the server returns at once.
const PAGE = 100_000;

const BAND_COLUMNS: Record<Band, string[]> = {
  deviation: ["mean_minus_std", "mean_plus_std"],
  error: ["mean_minus_error", "mean_plus_error"],
  range: ["min", "max"],
  quartiles: ["low_quartile", "high_quartile"],
};

function csvCell(value: unknown): string {
  const text = value === null || value === undefined ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export const csvRow = (values: unknown[]): string => `${values.map(csvCell).join(",")}\r\n`;

/** The data that a chart draws, in full precision. */
export function drawnCsv({ lines, view }: DrawnChart): string {
  const isGrouped = lines.some((line) => line.runs !== undefined);
  const isSmoothed = lines.some((line) => line.unsmoothed);
  const axis = lines[0]?.axis ?? "x";
  const header = [
    isGrouped ? "group" : "run",
    ...(lines[0]?.metric === undefined ? [] : ["metric"]),
    "step",
    "step_last",
    ...(axis === "step" ? [] : [metricOfAxis(axis) ?? axis]),
    isGrouped ? "runs" : "points",
    "value",
    ...(isSmoothed ? ["smoothed"] : []),
    ...(isGrouped ? BAND_COLUMNS[band.value] : ["min", "max"]),
  ];
  const rows = lines.flatMap((line) =>
    line.x.flatMap((x, index) => {
      if (view.zoom && (x < view.zoom.min || x > view.zoom.max)) return [];
      return [csvRow(drawnRow(line, index, isGrouped, isSmoothed))];
    }),
  );
  return [csvRow(header), ...rows].join("");
}

function drawnRow(line: Line, index: number, isGrouped: boolean, isSmoothed: boolean): unknown[] {
  const [first, last] = line.steps[index] ?? [null, null];
  const value = rawValue(line, index);
  // Without a band, a point of a run is its own minimum and maximum.
  const edge = (band: Line["low"]) => (band ? band[index] : isGrouped ? null : value);
  return [
    line.owner ?? line.label,
    ...(line.metric === undefined ? [] : [line.metric]),
    first,
    last,
    ...(line.axis === "step" ? [] : [axisValue(line.axis, line.from[index] as number)]),
    line.count[index],
    value ?? (line.count[index] === 1 ? line.notes[index] : null),
    ...(isSmoothed ? [line.y[index]] : []),
    edge(line.low),
    edge(line.high),
  ];
}

const axisValue = (axis: string, x: number): string =>
  axis === "time" ? new Date(x * 1000).toISOString() : String(x);

/** All points of metrics of some runs; `onProgress` gets the number of points so far. */
export async function allPointsCsv(
  paths: string[],
  runs: { id: number; name: string }[],
  onProgress: (points: number) => void,
  signal: AbortSignal,
): Promise<Blob> {
  const isOne = paths.length === 1;
  const columns = ["step", "timestamp", "value"];
  const parts: BlobPart[] = [csvRow(["run", ...(isOne ? [] : ["metric"]), ...columns])];
  let points = 0;
  for (const path of paths) {
    for (const { id, name } of runs) {
      const head = isOne ? [name] : [name, path];
      for await (const page of pointPages(id, path, signal)) {
        const rows = page.map(({ step, timestamp, value }) =>
          csvRow([...head, step, timestamp, value]),
        );
        parts.push(rows.join(""));
        points += page.length;
        onProgress(points);
      }
    }
  }
  return new Blob(parts, { type: "text/csv" });
}

async function* pointPages(
  runId: number,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<PointPage["data"]> {
  let cursor: string | undefined;
  for (;;) {
    let page: PointPage;
    try {
      page = await getPoints(runId, path, { limit: PAGE, cursor }, signal);
    } catch (problem) {
      if (signal.aborted || cursor) throw problem;
      return; // The run has not logged the metric.
    }
    yield page.data;
    cursor = page.next_cursor;
    if (!cursor) return;
  }
}
