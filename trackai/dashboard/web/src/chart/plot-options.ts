// The options of uPlot for a chart.

import uPlot from "uplot";
import type { Range } from "../api/types";
import { OTHERS_ALPHA } from "./hovered-line";
import type { Line } from "./lines";
import { FONT, xAxisOptions, yAxisOptions } from "./plot-axes";
import { lonePoints } from "./plot-data";
import type { ChartView, YRange } from "./y-range";

interface PlotSetup {
  width: number;
  height: number;
  lines: Line[];
  /** Read at each redraw: the plot outlives the data that it was made for. */
  current: () => { lines: Line[]; view: ChartView; yRange: YRange };
  onZoom: (range: Range) => void;
  onCursor: (plot: uPlot) => void;
}

export function plotOptions(setup: PlotSetup): uPlot.Options {
  const { width, height, lines } = setup;
  const { logX, logY } = setup.current().view;
  const style = getComputedStyle(document.documentElement);
  const grid = { stroke: style.getPropertyValue("--grid"), width: 1 };
  const stroke = style.getPropertyValue("--faint");
  const axis = { stroke, grid, ticks: { ...grid, size: 4 }, font: FONT, gap: 4 };
  const xAxis = lines[0]?.axis;
  const { cursor, hooks } = zoomByDragging(xAxis, setup.onZoom);
  const bands = lines.filter((line) => line.low);
  return {
    width,
    height,
    legend: { show: false },
    focus: { alpha: OTHERS_ALPHA },
    padding: [6, 14, 0, 0],
    cursor,
    scales: {
      x: { time: xAxis === "time", distr: logX ? 3 : 1, range: (plot) => xRange(plot, setup) },
      y: {
        distr: logY ? 3 : 1,
        range: () => setup.current().yRange.range ?? (logY ? [0.1, 10] : [0, 1]),
      },
    },
    axes: [
      { ...axis, ...xAxisOptions(xAxis ?? "step", logX) },
      { ...axis, ...yAxisOptions(logY) },
    ],
    series: [{}, ...plotSeries(lines, bands)],
    bands: bands.map((line, index) => ({
      series: [index * 2 + 1, index * 2 + 2] as [number, number],
      fill: line.color + bandOpacity(bands.length),
    })),
    hooks: {
      ...hooks,
      setCursor: [setup.onCursor],
      draw: [(plot) => markNonFinite(plot, setup.current().lines, style.getPropertyValue("--bad"))],
    },
  };
}

/** The range of the x axis; uPlot's own default would widen a range of no width. */
function xRange(plot: uPlot, setup: PlotSetup): [number, number] {
  const { zoom, logX } = setup.current().view;
  if (zoom) return [logX ? Math.max(zoom.min, Number.MIN_VALUE) : zoom.min, zoom.max];
  const [xs] = plot.data;
  const [low, high] = [xs[0] ?? 1, xs[xs.length - 1] ?? 1];
  if (low < high) return [low, high];
  // A single point is in the middle.
  return logX ? [low / 2, high * 2] : [low - 0.5, high + 0.5];
}

/** A cursor that all charts with the same x axis share, and dragging that zooms. */
function zoomByDragging(
  xAxis: string | undefined,
  onZoom: (range: Range) => void,
): { cursor: uPlot.Cursor; hooks: uPlot.Hooks.Arrays } {
  // A drag is shown in all charts and ends in all of them; only the dragged one zooms.
  let isDragged = false;
  const cursor: uPlot.Cursor = {
    y: false,
    sync: { key: uPlot.sync(`charts by ${xAxis}`).key, scales: ["x", null] },
    drag: { x: true, y: false, setScale: false },
    points: { show: false },
    bind: {
      mouseup: (_plot, _target, handle) => (event) => {
        isDragged = true;
        if (event.button === 0) handle(event);
        isDragged = false;
        return null;
      },
    },
  };
  const setSelect = (plot: uPlot) => {
    const { left, width } = plot.select;
    if (width < 3) return;
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    if (!isDragged) return;
    onZoom({ min: plot.posToVal(left, "x"), max: plot.posToVal(left + width, "x") });
  };
  return { cursor, hooks: { setSelect: [setSelect] } };
}

function plotSeries(lines: Line[], bands: Line[]): uPlot.Series[] {
  const bandEdge = { points: { show: false }, width: 0 };
  return [
    ...bands.flatMap(() => [bandEdge, bandEdge]),
    ...lines
      .filter((line) => line.unsmoothed)
      .map((line) => ({
        stroke: `${line.color}48`,
        width: 1,
        points: { show: false },
      })),
    ...lines.map((line) => ({
      stroke: line.color,
      width: 1.6,
      dash: line.dash.length > 0 ? line.dash : undefined,
      points: { show: false, filter: drawLonePoints, size: 6, fill: line.color },
    })),
  ];
}

/** The opacity of a band in hex: lower where many bands overlap. */
const bandOpacity = (bands: number): string =>
  Math.round(Math.max(14, 52 / Math.sqrt(bands)))
    .toString(16)
    .padStart(2, "0");

const drawLonePoints: uPlot.Series.Points.Filter = (plot, series) =>
  lonePoints(plot.data[series] as (number | null | undefined)[]);

// The least distance of two marks, in pixels.
const MARK_DISTANCE = 8;

/** Draw a mark at the bottom wherever a value is NaN or infinite. */
function markNonFinite(plot: uPlot, lines: Line[], color: string): void {
  const { ctx, bbox } = plot;
  const pixel = uPlot.pxRatio;
  const bottom = bbox.top + bbox.height;
  ctx.save();
  ctx.fillStyle = color;
  for (const { nonFinite } of lines) {
    let previous = -Infinity;
    for (const x of nonFinite) {
      const left = plot.valToPos(x, "x", true);
      if (left < bbox.left || left > bbox.left + bbox.width) continue;
      if (left - previous < MARK_DISTANCE * pixel) continue;
      previous = left;
      ctx.beginPath();
      ctx.moveTo(left, bottom - 9 * pixel);
      ctx.lineTo(left - 4 * pixel, bottom);
      ctx.lineTo(left + 4 * pixel, bottom);
      ctx.fill();
    }
  }
  ctx.restore();
}
