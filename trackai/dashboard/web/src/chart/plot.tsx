// The plot of one metric: a line for each run or group of runs, with a band around it.

import type { RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { ChoiceBody } from "../api/types";
import { customColors } from "../ui/colors";
import { ErrorMessage } from "../ui/messages";
import { isDark } from "../ui/theme";
import {
  band,
  clipOutliers,
  hiddenLines,
  logX,
  logY,
  smoothing,
  yLimits,
  zoomRange,
} from "../view/parameters";
import type { ChartData } from "./chart-data";
import { drawInFrame } from "./draw-queue";
import { useHoveredLine } from "./hovered-line";
import { type Line, toLines } from "./lines";
import { plotData, plotShape } from "./plot-data";
import { plotOptions } from "./plot-options";
import { readLines, showReadings } from "./tooltip";
import { type ChartState, useChart } from "./use-chart";
import { type ChartSeries, useSeriesChart } from "./use-series-chart";
import { dragYAxis, resetYAxis } from "./y-axis";
import { type ChartView, type DrawnChart, yRange } from "./y-range";
import { handleKey, isLastZoomed, resetZoom, zoomByHand } from "./zoom";

export interface ChartProps {
  /** The metric; of a chart with `series`, its title. */
  path: string;
  /** Several metrics, or axes other than those of the page. */
  series?: ChartSeries;
  runIds: number[];
  /** All chosen runs, of which `runIds` are drawn one by one. */
  chosen: number[];
  choice: ChoiceBody;
  names: Map<number, string>;
  /** The runs that are logging; undefined while that is not known. */
  running: number[] | undefined;
}

interface Props extends ChartProps {
  /** Whether the chart is on screen; only then it is fetched and drawn. */
  live: boolean;
  height: number;
  onDrawn: (drawn: DrawnChart) => void;
}

export const Plot = (props: Props) =>
  props.series ? <SeriesPlot {...props} series={props.series} /> : <MetricPlot {...props} />;

function MetricPlot(props: Props) {
  const box = useRef<HTMLDivElement>(null);
  const width = () => box.current?.clientWidth ?? 400;
  return <DrawnPlot {...props} box={box} {...useChart({ ...props, width })} />;
}

function SeriesPlot(props: Props & { series: ChartSeries }) {
  const box = useRef<HTMLDivElement>(null);
  const width = () => box.current?.clientWidth ?? 400;
  return <DrawnPlot {...props} box={box} {...useSeriesChart({ ...props, width })} />;
}

interface DrawnProps extends Props, ChartState {
  box: RefObject<HTMLDivElement>;
}

function DrawnPlot({ path, series, runIds, names, height, onDrawn, ...drawing }: DrawnProps) {
  const { box, chart, error, axis } = drawing;
  const tooltip = useRef<HTMLDivElement>(null);
  const announcement = useRef<HTMLParagraphElement>(null);

  // The cursor moves in all charts at once; only the chart under it shows a tooltip.
  const showTooltip = (plot: uPlot, lines: Line[]) => {
    if (!tooltip.current) return;
    const hasFocus = document.activeElement === box.current;
    const isActive = hasFocus || plot.over.matches(":hover");
    const text = showReadings(tooltip.current, plot, isActive ? readLines(plot, lines) : []);
    if (announcement.current && hasFocus) announcement.current.textContent = text;
  };
  const labels = runIds.map((id) => names.get(id)).join("\u0000");
  const { plot, drawn } = useUplot({
    box,
    chart,
    path,
    names,
    labels,
    logYOfSeries: series?.logY,
    height,
    onDrawn,
    showTooltip,
  });

  return (
    <>
      <div
        class="plot"
        ref={box}
        style={{ minHeight: `${height}px` }}
        tabIndex={0}
        role="group"
        aria-roledescription="chart"
        aria-label={`${path}: use arrow keys to read values, plus and minus to zoom`}
        onPointerDown={(event) => plot.current && dragYAxis(event, plot.current, path)}
        onDblClick={(event) => resetYAxis(event, plot.current, path) || resetZoom()}
        onKeyDown={(event) => handleKey(event, plot.current, drawn.current?.lines[0]?.axis ?? axis)}
        onBlur={() => {
          if (tooltip.current) tooltip.current.hidden = true;
        }}
      >
        <div class="readout" ref={tooltip} hidden aria-hidden="true" />
      </div>
      <p class="unseen" ref={announcement} aria-live="polite" />
      <ErrorMessage message={error} />
      {chart && isEmpty(chart) && <p class="empty">{emptyReason(chart, runIds)}</p>}
    </>
  );
}

interface UplotOptions {
  box: RefObject<HTMLDivElement>;
  chart: ChartData | undefined;
  path: string;
  names: Map<number, string>;
  /** Changes with the names of the runs. */
  labels: string;
  /** Undefined for the y axis of the page. */
  logYOfSeries: boolean | undefined;
  height: number;
  onDrawn: (drawn: DrawnChart) => void;
  showTooltip: (plot: uPlot, lines: Line[]) => void;
}

/** Draw the chart with uPlot into the box, and redraw it when something changes. */
function useUplot({ box, chart, path, names, labels, height, ...others }: UplotOptions) {
  const { logYOfSeries, ...callbacks } = others;
  const plot = useRef<uPlot>();
  const shape = useRef("");
  const drawn = useRef<DrawnChart>();

  useLayoutEffect(() => {
    const element = box.current;
    if (!element || !chart) return;
    const current = toDrawnChart(path, chart, names, logYOfSeries ?? logY.value);
    const { lines, allLines, view } = current;
    drawn.current = current;
    callbacks.onDrawn(current);
    const newShape = plotShape(lines, view) + isDark.value + height;
    const data = () => plotData(lines, view, current.yRange);
    const draw = () => {
      if (plot.current && newShape === shape.current) {
        plot.current.setData(data());
        return;
      }
      const { left = -1, top = -1 } = plot.current?.cursor ?? {};
      plot.current?.destroy();
      shape.current = newShape;
      const options = plotOptions({
        width: element.clientWidth,
        height,
        lines,
        current: () => drawn.current ?? current,
        onZoom: (range) => zoomByHand(path, allLines[0]?.axis ?? "step", range),
        onCursor: (self) => callbacks.showTooltip(self, (drawn.current ?? current).lines),
      });
      plot.current = new uPlot(options, data(), element);
      // A mouse that rests on the chart reads the new lines.
      if (left >= 0) plot.current.setCursor({ left, top });
    };
    // Draw the chart that was zoomed by hand at once, the others when there is time.
    if (!isLastZoomed(path)) return drawInFrame(draw);
    draw();
  }, [
    chart,
    labels,
    smoothing.value,
    logYOfSeries ?? logY.value,
    logX.value,
    clipOutliers.value,
    band.value,
    zoomRange.value,
    yLimits.value.get(path)?.min,
    yLimits.value.get(path)?.max,
    hiddenLines.value,
    isDark.value,
    customColors.value,
    height,
  ]);

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
      shape.current = "";
    };
  }, [height]);
  useHoveredLine(plot, drawn);
  return { plot, drawn };
}

function toDrawnChart(
  path: string,
  chart: ChartData,
  names: Map<number, string>,
  logY: boolean,
): DrawnChart {
  const allLines = toLines(chart, names, smoothing.value > 0 && !chart.isUnsmoothed);
  const lines = allLines.filter((line) => !hiddenLines.value.includes(line.key));
  const axis = allLines[0]?.axis;
  const view: ChartView = {
    logX: logX.value && axis !== "time",
    logY,
    clipOutliers: clipOutliers.value,
    zoom: zoomRange.value?.axis === axis ? zoomRange.value : undefined,
    limits: yLimits.value.get(path),
  };
  return { lines, allLines, view, yRange: yRange(lines, view) };
}

const isEmpty = ({ groups, runs, parts }: ChartData): boolean =>
  parts?.every(([, part]) => isEmpty(part)) ??
  (!groups && [...runs.values()].every((runChart) => runChart.data.length === 0));

function emptyReason({ runs, deleted, parts }: ChartData, runIds: number[]): string {
  const [first] = parts ?? [];
  if (first) return emptyReason(first[1], runIds);
  const isUnplaced = [...runs.values()].some(({ unplaced = 0 }) => unplaced > 0);
  if (isUnplaced) return "The metric of the x axis has no values at these steps.";
  if (runs.size > 0) return zoomRange.value ? "No points in this range." : "No points.";
  return deleted?.length === runIds.length
    ? "The selected runs have been deleted."
    : "Not logged by the selected runs.";
}
