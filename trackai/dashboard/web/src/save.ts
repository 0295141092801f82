// Charts as files: pictures, what is drawn as CSV, and all points as CSV.

import { ask, query, type Value } from "./api";
import type { Drawn } from "./plot";

// As many as the server gives at once.
const PAGE = 100_000;

export function save(name: string, content: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  // Not before the browser has begun to read it.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export const fileName = (path: string, ending: string): string =>
  `${path.replace(/[^\p{L}\p{N}._-]+/gu, "-")}.${ending}`;

const cell = (value: unknown): string => {
  const text = value === null || value === undefined ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

const row = (values: unknown[]): string => `${values.map(cell).join(",")}\r\n`;

/** What a chart draws, each number as exactly as it is known. */
export function drawnCsv({ lines, look }: Drawn): string {
  const grouped = lines.some((one) => one.runs !== undefined);
  const smoothed = lines.some((one) => one.plain);
  const head = [
    grouped ? "group" : "run",
    "step",
    "step_last",
    lines[0]?.axis === "step" ? [] : [lines[0]?.axis ?? "x"],
    grouped ? "runs" : "points",
    "value",
    smoothed ? ["smoothed"] : [],
    grouped ? ["mean_minus_std", "mean_plus_std"] : ["min", "max"],
  ].flat();
  const found = [row(head)];
  for (const line of lines) {
    line.x.forEach((x, at) => {
      if (look.zoom && (x < look.zoom.min || x > look.zoom.max)) return;
      const [first, last] = line.steps[at] ?? [null, null];
      const logged = (line.plain ?? line.y)[at];
      found.push(
        row([
          line.label,
          first,
          last,
          ...(line.axis === "step" ? [] : [place(line.axis, line.from[at] as number)]),
          line.count[at],
          logged ?? (line.count[at] === 1 ? line.words[at] : null),
          ...(smoothed ? [line.y[at]] : []),
          // Without a band, a point is one value: its own least and greatest.
          line.low ? line.low[at] : grouped ? null : logged,
          line.high ? line.high[at] : grouped ? null : logged,
        ]),
      );
    });
  }
  return found.join("");
}

const place = (axis: string, x: number): string =>
  axis === "time" ? new Date(x * 1000).toISOString() : String(x);

interface Page {
  data: { step: number | null; timestamp: string | null; value: Value }[];
  has_more: boolean;
}

/** All points of a metric of some runs, page by page; `on` hears how many there are so far. */
export async function allPointsCsv(
  path: string,
  runs: [number, string][],
  on: (points: number) => void,
  signal: AbortSignal,
): Promise<Blob> {
  const parts: BlobPart[] = [row(["run", "step", "timestamp", "value"])];
  const name = path.split("/").map(encodeURIComponent).join("/");
  let points = 0;
  for (const [id, label] of runs) {
    for (let offset = 0, more = true; more; offset += PAGE) {
      let page: Page;
      try {
        page = await ask<Page>(
          "GET",
          `/api/metrics/runs/${id}/metric/${name}?${query({ limit: PAGE, offset })}`,
          undefined,
          signal,
        );
      } catch (problem) {
        if (signal.aborted || offset > 0) throw problem;
        break; // This run has not logged it.
      }
      parts.push(page.data.map((one) => row([label, one.step, one.timestamp, one.value])).join(""));
      points += page.data.length;
      on(points);
      more = page.has_more;
    }
  }
  return new Blob(parts, { type: "text/csv" });
}
