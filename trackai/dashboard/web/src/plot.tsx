// One chart: a line for each run with the band from the least to the greatest value around it.

import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import * as api from "./api";
import { color, dark } from "./colors";
import { number, plain } from "./format";
import { smooth } from "./smooth";
import { logScale, smoothing, xAxis } from "./view";

const HEIGHT = 210;
const POLL = 2000;
const SYNC = uPlot.sync("charts");

interface Props {
  path: string;
  runIds: number[];
  names: Map<number, string>;
  live: boolean;
}

export function Plot({ path, runIds, names, live }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>();
  const [charts, setCharts] = useState<Map<number, api.ChartData>>();
  const [zoom, setZoom] = useState<api.Range>();
  const [error, setError] = useState("");
  const [readout, setReadout] = useState<{ x: string; rows: [number, number][] }>();
  const asked = [path, runIds.join(","), xAxis.value, zoom?.min, zoom?.max].join("\u0000");

  useEffect(() => {
    if (!live || runIds.length === 0) return;
    const stop = new AbortController();
    let timer = 0;
    let shown = "";
    const load = async () => {
      try {
        const points = Math.max(50, Math.round((box.current?.clientWidth ?? 400) / 2));
        let found = await api.charts(runIds, path, points, xAxis.value, zoom, stop.signal);
        if (xAxis.value === "step" && [...found.values()].some((chart) => chart.x === "time")) {
          // A system metric has no steps; its runs lie over each other by the time since they began.
          found = await api.charts(runIds, path, points, "relative", undefined, stop.signal);
        }
        // An unchanged chart is not drawn again, and nothing that the user points at moves.
        const now = JSON.stringify([...found]);
        if (now !== shown) setCharts(found);
        shown = now;
        setError("");
      } catch (problem) {
        if (!stop.signal.aborted) setError(String(problem));
      }
      if (!stop.signal.aborted) timer = window.setTimeout(load, POLL);
    };
    void load();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [asked, live]);

  useEffect(() => {
    const element = box.current;
    if (!element || !charts) return;
    const lines = [...charts].map(([id, chart]) => line(id, chart, smoothing.value));
    const data = join(lines);
    const onZoom = (range: api.Range | undefined) => lines.every((one) => one.axis === "step") && setZoom(range);
    const made = new uPlot(options(element.clientWidth, lines, onZoom, setReadout), data, element);
    plot.current = made;
    const watch = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      made.destroy();
    };
  }, [charts, smoothing.value, logScale.value, dark.matches]);

  return (
    <>
      <div class="plot" ref={box} onDblClick={() => setZoom(undefined)} />
      {error && <p class="problem" role="alert">{error}</p>}
      {charts && charts.size === 0 && <p class="empty">Not logged by the chosen runs.</p>}
      {readout && (
        <div class="readout">
          <b>{readout.x}</b>
          {readout.rows.map(([id, value]) => (
            <span key={id}>
              <i class="dot" style={{ background: color(id) }} />
              {names.get(id) ?? `run ${id}`} <b>{number(value)}</b>
            </span>
          ))}
        </div>
      )}
      {zoom && <button type="button" class="reset" onClick={() => setZoom(undefined)}>Reset zoom</button>}
    </>
  );
}

interface Line {
  id: number;
  axis: api.XAxis;
  x: number[];
  y: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
  bad: number[];
}

function line(id: number, chart: api.ChartData, weight: number): Line {
  const at = (bucket: api.Bucket): number => {
    if (chart.x === "step") return bucket.step ?? 0;
    return typeof bucket.x === "string" ? Date.parse(bucket.x) / 1000 : (bucket.x ?? 0);
  };
  const values = chart.data.map((bucket) => (chart.raw ? plain(bucket.last) : (bucket.mean ?? null)));
  return {
    id,
    axis: chart.x,
    x: chart.data.map(at),
    y: smooth(values, chart.data.map((bucket) => bucket.count), weight),
    low: chart.data.map((bucket) => bucket.min ?? null),
    high: chart.data.map((bucket) => bucket.max ?? null),
    bad: chart.data.filter((bucket) => bucket.non_finite > 0).map(at),
  };
}

/** All lines over one x axis; null where a run has no point, which uPlot joins over. */
function join(lines: Line[]): uPlot.AlignedData {
  if (lines.length === 0) return [[]];
  return uPlot.join(
    lines.map(({ x, y, low, high }) => [x, y, high, low] as uPlot.AlignedData),
    lines.map(() => [1, 1, 1, 1]),
  );
}

function options(
  width: number,
  lines: Line[],
  onZoom: (range: api.Range | undefined) => void,
  onPoint: (readout: { x: string; rows: [number, number][] } | undefined) => void,
): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--faint");
  const grid = { stroke: style.getPropertyValue("--line"), width: 1 };
  const axis = { stroke: ink, grid, ticks: grid, font: "11px system-ui", size: 42 };
  const time = lines.some((one) => one.axis === "time");
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { sync: { key: SYNC.key }, drag: { x: true, y: false, setScale: false }, points: { size: 5 } },
    scales: { x: { time }, y: { distr: logScale.value ? 3 : 1 } },
    axes: [
      { ...axis, size: 28 },
      { ...axis, size: 56, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : number(tick))) },
    ],
    series: [
      {},
      ...lines.flatMap(({ id }) => [
        { stroke: color(id), width: 1.5, spanGaps: true, points: { show: false } },
        { stroke: "transparent", spanGaps: true, points: { show: false } },
        { stroke: "transparent", spanGaps: true, points: { show: false } },
      ]),
    ],
    bands: lines.map(({ id }, at) => ({ series: [at * 3 + 2, at * 3 + 3] as [number, number], fill: `${color(id)}26` })),
    hooks: {
      setSelect: [
        (self) => {
          if (self.select.width < 3) return;
          onZoom({ min: self.posToVal(self.select.left, "x"), max: self.posToVal(self.select.left + self.select.width, "x") });
          self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
      setCursor: [(self) => onPoint(readAt(self, lines, time))],
      draw: [(self) => markBad(self, lines)],
    },
  };
}

/** The values under the cursor, those nearest to it first. */
function readAt(self: uPlot, lines: Line[], time: boolean): { x: string; rows: [number, number][] } | undefined {
  const { idx, top } = self.cursor;
  if (idx === null || idx === undefined || top === undefined || top < 0) return undefined;
  const x = self.data[0][idx];
  if (x === undefined) return undefined;
  const rows: [number, number][] = [];
  lines.forEach(({ id, x: own, y }) => {
    const nearest = own.findLastIndex((at) => at <= x);
    const value = y[nearest];
    if (value !== null && value !== undefined) rows.push([id, value]);
  });
  const pointed = self.posToVal(top, "y");
  rows.sort((one, other) => Math.abs(one[1] - pointed) - Math.abs(other[1] - pointed));
  return { x: time ? new Date(x * 1000).toLocaleString() : number(x), rows: rows.slice(0, 8) };
}

/** A red mark at the bottom wherever a value was NaN or infinite. */
function markBad(self: uPlot, lines: Line[]): void {
  const { ctx, bbox } = self;
  ctx.save();
  ctx.fillStyle = "#d62728";
  for (const { bad } of lines) {
    let last = -Infinity;
    for (const x of bad) {
      const at = self.valToPos(x, "x", true);
      if (at < bbox.left || at > bbox.left + bbox.width || at - last < 8 * devicePixelRatio) continue;
      last = at;
      ctx.beginPath();
      ctx.moveTo(at, bbox.top + bbox.height - 9 * devicePixelRatio);
      ctx.lineTo(at - 4 * devicePixelRatio, bbox.top + bbox.height);
      ctx.lineTo(at + 4 * devicePixelRatio, bbox.top + bbox.height);
      ctx.fill();
    }
  }
  ctx.restore();
}
