import { describe, expect, test, vi } from "vitest";
import { allPointsCsv, csvRow, drawnCsv } from "../../src/chart/csv";
import type { Line } from "../../src/chart/lines";
import { axisOfMetric } from "../../src/chart/metric-axis";
import { yRange } from "../../src/chart/y-range";
import { line, view } from "./fixtures";

function drawn(lines: Line[], more: Parameters<typeof view>[0] = {}): string[] {
  const chartView = view(more);
  const yLimits = yRange(lines, chartView);
  return drawnCsv({ lines, allLines: lines, view: chartView, yRange: yLimits }).split("\r\n");
}

test("csvRow quotes what needs quotes", () => {
  expect(csvRow(["a", 'say "b"', "c,d", "e\nf", null, undefined, 0.5])).toBe(
    'a,"say ""b""","c,d","e\nf",,,0.5\r\n',
  );
});

describe("drawnCsv", () => {
  test("has a row for each point of a run", () => {
    const notes = [undefined, undefined, "NaN"];
    expect(drawn([line([1, 0.1 + 0.2, null], { notes })])).toEqual([
      "run,step,step_last,points,value,min,max",
      "first,0,0,1,1,1,1",
      "first,1,1,1,0.30000000000000004,0.30000000000000004,0.30000000000000004",
      "first,2,2,1,NaN,,",
      "",
    ]);
  });

  test("has integers that a number cannot hold", () => {
    const large = [9007199254740993n];
    const rows = drawn([line([9007199254740992], { large, steps: [[2n ** 60n, 2n ** 60n]] })]);
    expect(rows[1]).toMatch(/^first,1152921504606846976,1152921504606846976,1,9007199254740993,/);
  });

  test("has only the zoomed part", () => {
    const rows = drawn([line([1, 2, 3])], { zoom: { min: 1, max: 1 } });
    expect(rows).toEqual([expect.any(String), "first,1,1,1,2,2,2", ""]);
  });

  test("has smoothed values beside those that were logged", () => {
    const rows = drawn([line([1.5], { unsmoothed: [2], low: [0], high: [4], count: [7] })]);
    expect(rows.slice(0, 2)).toEqual([
      "run,step,step_last,points,value,smoothed,min,max",
      "first,0,0,7,2,1.5,0,4",
    ]);
  });

  test("has the deviations of groups", () => {
    const rows = drawn([line([2], { runs: 3, low: [1], high: [3], count: [3] })]);
    expect(rows.slice(0, 2)).toEqual([
      "group,step,step_last,runs,value,mean_minus_std,mean_plus_std",
      "first,0,0,3,2,1,3",
    ]);
  });

  test("has the time on an axis of time", () => {
    const start = Date.parse("2024-01-01T00:00:00Z") / 1000;
    const rows = drawn([
      line([2], { axis: "time", x: [start], from: [start], steps: [[null, null]] }),
    ]);
    expect(rows.slice(0, 2)).toEqual([
      "run,step,step_last,time,points,value,min,max",
      "first,,,2024-01-01T00:00:00.000Z,1,2,2,2",
    ]);
  });
});

test("drawnCsv names the metrics of several, and the x axis", () => {
  const axis = axisOfMetric("epoch, in words");
  const lines = ["a", "b"].map((metric) =>
    line([2], { axis, label: `first · ${metric}`, owner: "first", metric, from: [1.5] }),
  );
  expect(drawn(lines)).toEqual([
    'run,metric,step,step_last,"epoch, in words",points,value,min,max',
    "first,a,0,0,1.5,1,2,2,2",
    "first,b,0,0,1.5,1,2,2,2",
    "",
  ]);
});

describe("allPointsCsv", () => {
  const point = (step: number) => ({ step, timestamp: null, value: step / 2 });
  const signal = new AbortController().signal;

  test("reads all pages of the runs that have the metric", async () => {
    const requested: string[] = [];
    vi.stubGlobal("fetch", async (path: string) => {
      requested.push(path);
      if (path.includes("/runs/2/")) return new Response('{"detail":"not found"}', { status: 404 });
      const isFirst = !path.includes("cursor=next");
      const next = isFirst ? { next_cursor: "next" } : {};
      return Response.json({ data: [point(isFirst ? 0 : 1)], has_more: isFirst, ...next });
    });
    const progress: number[] = [];
    const runs = [1, 2].map((id) => ({ id, name: `r${id}` }));
    const csv = await allPointsCsv(["a b/c"], runs, (points) => progress.push(points), signal);
    expect(await csv.text()).toBe("run,step,timestamp,value\r\nr1,0,,0\r\nr1,1,,0.5\r\n");
    expect(progress).toEqual([1, 2]);
    expect(requested[0]).toBe("/api/metrics/runs/1/metric/a%20b/c?limit=100000");
  });

  test("names the metrics of several", async () => {
    vi.stubGlobal("fetch", async () => Response.json({ data: [point(0)], has_more: false }));
    const csv = await allPointsCsv(["a", "b"], [{ id: 1, name: "r" }], () => undefined, signal);
    expect(await csv.text()).toBe("run,metric,step,timestamp,value\r\nr,a,0,,0\r\nr,b,0,,0\r\n");
  });

  test("fails if a later page fails", async () => {
    vi.stubGlobal("fetch", async (path: string) =>
      path.includes("cursor=next")
        ? new Response('{"detail":"gone"}', { status: 404 })
        : Response.json({ data: [point(0)], has_more: true, next_cursor: "next" }),
    );
    const read = allPointsCsv(["c"], [{ id: 1, name: "r" }], () => undefined, signal);
    await expect(read).rejects.toThrow("gone");
  });
});
