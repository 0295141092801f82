// The lines of many runs in parallel coordinates.

import { useLayoutEffect, useRef } from "preact/hooks";
import { gradientColor } from "../ui/colors";
import { isDark } from "../ui/theme";
import type { Axis } from "./axis";
import { prepare } from "./canvas";
import type { ComparedRun } from "./compared-runs";
import { HEIGHT, linePath, type ParallelLayout } from "./parallel-layout";

interface Props {
  runs: ComparedRun[];
  brushed: ComparedRun[];
  axes: Axis[];
  layout: ParallelLayout;
}

export function CanvasLines({ runs, brushed, axes, layout }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const dark = isDark.value;
  useLayoutEffect(() => {
    const context = prepare(canvas.current, layout.width, HEIGHT);
    if (!context) return;
    const inside = new Set(brushed.map((run) => run.id));
    const target = axes.at(-1);
    const missing = dark ? "#9aa5b3" : "#5c6672";
    const draw = (run: ComparedRun, color: string, alpha: number, dash: number[]) => {
      context.strokeStyle = color;
      context.globalAlpha = alpha;
      context.setLineDash(dash);
      context.stroke(new Path2D(linePath(run, axes, layout)));
    };
    context.lineWidth = 1;
    for (const run of runs)
      if (!inside.has(run.id)) draw(run, dark ? "#3a424d" : "#d5dae1", 0.4, []);
    // The fewer there are, the stronger is each.
    const alpha = Math.min(0.85, Math.max(0.15, 250 / brushed.length));
    for (const run of brushed) {
      const position = target?.position(run);
      if (position === undefined) draw(run, missing, alpha, [3, 3]);
      else draw(run, gradientColor(position), alpha, []);
    }
  }, [runs, brushed, axes, layout.width, dark]);
  return <canvas class="under" ref={canvas} />;
}
