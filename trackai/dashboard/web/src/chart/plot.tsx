// The plot of one metric: a line for each run or group of runs, with a band around it.

import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { ChoiceBody } from "../api/types";
import { customColors, isDark } from "../ui/colors";
import { ErrorMessage } from "../ui/messages";
import {
  band,
  clipOutliers,
  hiddenLines,
  logX,
  logY,
  smoothing,
  zoomRange,
} from "../view/parameters";
import type { ChartData } from "./chart-data";
import { drawInFrame } from "./draw-queue";
import { useHoveredLine } from "./hovered-line";
import { type Line, toLines } from "./lines";
import { plotData, plotShape } from "./plot-data";
import { plotOptions } from "./plot-options";
import { readLines, showReadings } from "./tooltip";
import { useChart } from "./use-chart";
import { type ChartView, type DrawnChart, yRange } from "./y-range";
import { handleKey, isLastZoomed, resetZoom, zoomByHand } from "./zoom";

export interface ChartProps {
  path: string;
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

export function Plot({ path, runIds, choice, names, live, running, height, onDrawn }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const tooltip = useRef<HTMLDivElement>(null);
  const announcement = useRef<HTMLParagraphElement>(null);
  const width = () => box.current?.clientWidth ?? 400;
  const { chart, error, axis } = useChart({ path, runIds, choice, live, running, width });

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
        onDblClick={resetZoom}
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
  height: number;
  onDrawn: (drawn: DrawnChart) => void;
  showTooltip: (plot: uPlot, lines: Line[]) => void;
}

/** Draw the chart with uPlot into the box, and redraw it when something changes. */
function useUplot({ box, chart, path, names, labels, height, ...callbacks }: UplotOptions) {
  const plot = useRef<uPlot>();
  const shape = useRef("");
  const drawn = useRef<DrawnChart>();

  useEffect(() => {
    const element = box.current;
    if (!element || !chart) return;
    const current = toDrawnChart(chart, names);
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
    };
    // Draw the chart that was zoomed by hand at once, the others when there is time.
    if (!isLastZoomed(path)) return drawInFrame(draw);
    draw();
  }, [
    chart,
    labels,
    smoothing.value,
    logY.value,
    logX.value,
    clipOutliers.value,
    band.value,
    zoomRange.value,
    hiddenLines.value,
    isDark.value,
    customColors.value,
    height,
  ]);

  useEffect(() => {
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

function toDrawnChart(chart: ChartData, names: Map<number, string>): DrawnChart {
  const allLines = toLines(chart, names, smoothing.value > 0);
  const lines = allLines.filter((line) => !hiddenLines.value.includes(line.key));
  const axis = allLines[0]?.axis;
  const view: ChartView = {
    logX: logX.value && axis !== "time",
    logY: logY.value,
    clipOutliers: clipOutliers.value,
    zoom: zoomRange.value?.axis === axis ? zoomRange.value : undefined,
  };
  return { lines, allLines, view, yRange: yRange(lines, view) };
}

const isEmpty = ({ groups, runs }: ChartData): boolean =>
  !groups && [...runs.values()].every((runChart) => runChart.data.length === 0);

function emptyReason({ runs, deleted }: ChartData, runIds: number[]): string {
  if (runs.size > 0) return zoomRange.value ? "No points in this range." : "No points.";
  return deleted?.length === runIds.length
    ? "The selected runs have been deleted."
    : "Not logged by the selected runs.";
}
