// The points of many runs in a scatter plot.

import { useLayoutEffect, useRef } from "preact/hooks";
import { isDark } from "../ui/theme";
import { prepare } from "./canvas";
import type { ComparedRun } from "./compared-runs";
import type { ScatterPoint } from "./scatter-layout";

interface Props {
  points: ScatterPoint[];
  brushed: ComparedRun[];
  colorOf: (run: ComparedRun) => string;
  radius: number;
  width: number;
  height: number;
}

export function CanvasPoints({ points, brushed, colorOf, radius, width, height }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const dark = isDark.value;
  useLayoutEffect(() => {
    const context = prepare(canvas.current, width, height);
    if (!context) return;
    const inside = new Set(brushed.map((run) => run.id));
    for (const { run, x, y } of points) {
      context.globalAlpha = inside.has(run.id) ? 0.75 : 0.1;
      context.fillStyle = colorOf(run);
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fill();
    }
  }, [points, brushed, colorOf, radius, width, height, dark]);
  return <canvas class="under" ref={canvas} />;
}
