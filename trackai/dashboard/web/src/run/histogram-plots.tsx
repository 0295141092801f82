// Drawings of histograms: a heatmap over the steps, and the bars of one step.

import { useEffect, useRef } from "preact/hooks";
import { formatNumber, plural } from "../ui/format";
import { isDark } from "../ui/theme";
import { isNumber } from "../ui/values";
import { type Bins, densities, highEdge, lowEdge } from "./histogram-data";

const HEATMAP_HEIGHT = 180;
const BARS_HEIGHT = 90;
// Room for the labels of the y axis.
const LEFT = 52;
const FONT = "11px system-ui";

type Draw = (context: CanvasRenderingContext2D, width: number) => void;

interface CanvasProps {
  kind: "heat" | "bars";
  height: number;
  label: string;
  draw: Draw;
  /** Called with the position of the pointer, from 0 at the left of the plot to 1. */
  onPoint?: (position: number) => void;
}

/** A canvas as wide as its parent, redrawn when the width or the colours change. */
function Canvas({ kind, height, label, draw, onPoint }: CanvasProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const redraw = () => {
      const width = element.clientWidth;
      element.width = width * devicePixelRatio;
      element.height = height * devicePixelRatio;
      const context = element.getContext("2d");
      if (!context || width === 0) return;
      context.scale(devicePixelRatio, devicePixelRatio);
      context.font = FONT;
      draw(context, width);
    };
    const unsubscribe = isDark.subscribe(redraw);
    const observer = new ResizeObserver(redraw);
    observer.observe(element);
    return () => {
      observer.disconnect();
      unsubscribe();
    };
  });
  const onPointer = (event: PointerEvent) => {
    if (event.type !== "pointerdown" && !event.buttons) return;
    const { left, width } = (event.currentTarget as HTMLElement).getBoundingClientRect();
    onPoint?.((event.clientX - left - LEFT) / (width - LEFT));
  };
  return (
    <canvas
      ref={canvas}
      role="img"
      aria-label={label}
      class={kind}
      onPointerDown={onPointer}
      onPointerMove={onPointer}
    />
  );
}

const cssColor = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(name);

function label(
  context: CanvasRenderingContext2D,
  value: number,
  x: number,
  y: number,
  align: CanvasTextAlign,
): void {
  context.fillStyle = cssColor("--faint");
  context.textAlign = align;
  context.fillText(formatNumber(value), x, y);
}

interface HeatmapProps {
  histograms: Bins[];
  selected: number;
  onSelect: (index: number) => void;
  path: string;
}

export function Heatmap({ histograms, selected, onSelect, path }: HeatmapProps) {
  const low = Math.min(...histograms.map(lowEdge));
  const high = Math.max(...histograms.map(highEdge));
  const yOf = (value: number) =>
    HEATMAP_HEIGHT - 16 - ((value - low) / (high - low || 1)) * (HEATMAP_HEIGHT - 22);
  const draw: Draw = (context, width) => {
    const columnWidth = (width - LEFT) / histograms.length;
    const xOf = (index: number) => LEFT + index * columnWidth;
    context.fillStyle = cssColor("--accent");
    histograms.forEach((bins, index) => {
      drawColumn(context, bins, xOf(index), Math.ceil(columnWidth), yOf);
    });
    context.globalAlpha = 1;
    context.strokeStyle = cssColor("--ink");
    const frameWidth = Math.max(2, columnWidth - 1);
    context.strokeRect(xOf(selected) + 0.5, 4.5, frameWidth, HEATMAP_HEIGHT - 19);
    label(context, high, LEFT - 5, 14, "right");
    label(context, low, LEFT - 5, HEATMAP_HEIGHT - 17, "right");
    const [first, last] = [histograms[0]?.step, histograms.at(-1)?.step];
    if (!isNumber(first) || !isNumber(last)) return;
    label(context, Number(last), width, HEATMAP_HEIGHT - 3, "right");
    label(context, Number(first), LEFT, HEATMAP_HEIGHT - 3, "left");
  };
  const count = histograms.length;
  const range = `${formatNumber(low)} to ${formatNumber(high)}`;
  return (
    <Canvas
      kind="heat"
      height={HEATMAP_HEIGHT}
      draw={draw}
      label={`${path}: heatmap of ${plural(count, "histogram")} from ${range}`}
      onPoint={(position) =>
        onSelect(Math.max(0, Math.min(count - 1, Math.floor(position * count))))
      }
    />
  );
}

/** One histogram as a column: the denser a bin, the more opaque. */
function drawColumn(
  context: CanvasRenderingContext2D,
  bins: Bins,
  left: number,
  width: number,
  yOf: (value: number) => number,
): void {
  const density = densities(bins);
  const max = Math.max(...density) || 1;
  density.forEach((value, bin) => {
    if (value <= 0) return;
    const top = yOf(bins.edges[bin + 1] as number);
    const height = Math.max(1, yOf(bins.edges[bin] as number) - top);
    context.globalAlpha = 0.06 + 0.94 * Math.sqrt(value / max);
    context.fillRect(left, top, width, height);
  });
}

export function Bars({ bins, label: name }: { bins: Bins; label: string }) {
  const draw: Draw = (context, width) => {
    const low = lowEdge(bins);
    const span = highEdge(bins) - low || 1;
    const max = Math.max(...bins.values) || 1;
    const xOf = (value: number) => LEFT + ((value - low) / span) * (width - LEFT);
    context.fillStyle = cssColor("--accent");
    bins.values.forEach((value, bin) => {
      const left = xOf(bins.edges[bin] as number);
      const barWidth = Math.max(1, xOf(bins.edges[bin + 1] as number) - left - 1);
      const height = (Math.max(0, value) / max) * (BARS_HEIGHT - 20);
      context.fillRect(left, BARS_HEIGHT - 16 - height, barWidth, height);
    });
    label(context, max, LEFT - 5, 12, "right");
    label(context, low + span, width, BARS_HEIGHT - 3, "right");
    label(context, low, LEFT, BARS_HEIGHT - 3, "left");
  };
  return <Canvas kind="bars" height={BARS_HEIGHT} draw={draw} label={name} />;
}
