// Histograms: how a distribution moves over the steps, and one of them as bars.

import { useEffect, useRef, useState } from "preact/hooks";
import { dark } from "./colors";
import * as api from "./details";
import { moment, number } from "./format";
import { usePolled } from "./poll";

const SHOWN = 200;
const HEIGHT = 180;
const BARS = 90;
// Room for the numbers beside what is drawn.
const LEFT = 52;

interface Bins {
  step: number | null;
  timestamp: string;
  edges: number[];
  values: number[];
}

export function Histograms({
  runId,
  paths,
  running,
}: {
  runId: number;
  paths: string[];
  running: boolean;
}) {
  if (paths.length === 0) return <p class="empty">No histograms have been logged.</p>;
  return (
    <div class="grid histograms">
      {paths.map((path) => (
        <Card key={path} runId={runId} path={path} running={running} />
      ))}
    </div>
  );
}

function Card({ runId, path, running }: { runId: number; path: string; running: boolean }) {
  const box = useRef<HTMLElement>(null);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const watch = new IntersectionObserver(([entry]) => entry?.isIntersecting && setSeen(true), {
      rootMargin: "200px",
    });
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  return (
    <figure class="card" ref={box}>
      <figcaption title={path}>{path}</figcaption>
      {seen && <Seen runId={runId} path={path} running={running} />}
    </figure>
  );
}

function Seen({ runId, path, running }: { runId: number; path: string; running: boolean }) {
  const { data, error } = usePolled(() => api.histograms(runId, path, SHOWN), running ? 5000 : 0, [
    runId,
    path,
    running,
  ]);
  const [chosen, setChosen] = useState<number>();
  if (error && !data)
    return (
      <p class="problem" role="alert">
        {error}
      </p>
    );
  if (!data) return <p class="empty">Loading …</p>;
  const all = data.data.map(bins).filter((one) => one !== undefined);
  if (all.length === 0) return <p class="empty">These are in a form that cannot be drawn.</p>;
  // Nothing chosen: the last, also when another comes.
  const at = Math.min(chosen ?? all.length - 1, all.length - 1);
  const one = all[at] as Bins;
  const where =
    one.step === null ? moment(Date.parse(one.timestamp) / 1000) : `step ${number(one.step)}`;
  const total = one.values.reduce((sum, value) => sum + value, 0);
  return (
    <>
      <HeatMap all={all} at={at} onChoose={setChosen} path={path} />
      <label class="stepper">
        <span>{where}</span>
        <input
          type="range"
          min="0"
          max={all.length - 1}
          step="1"
          value={at}
          aria-label={`Step of ${path}`}
          aria-valuetext={where}
          onInput={(event) => setChosen(Number(event.currentTarget.value))}
        />
        <small>
          {data.total > all.length
            ? `${all.length} of ${data.total}`
            : `${at + 1} of ${all.length}`}
        </small>
      </label>
      <Bars
        one={one}
        label={`${path} at ${where}: ${number(total)} values from ${number(one.edges[0] ?? 0)} to ${number(one.edges.at(-1) ?? 0)}`}
      />
    </>
  );
}

/** A histogram as bins, if it is one: one more edge than values, all of them numbers. */
function bins(histogram: api.Histogram): Bins | undefined {
  const { step, timestamp } = histogram;
  const value = histogram.value as { edges?: unknown; values?: unknown } | null;
  if (typeof value !== "object" || value === null) return undefined;
  const { edges, values } = value;
  if (
    !Array.isArray(edges) ||
    !Array.isArray(values) ||
    edges.length !== values.length + 1 ||
    values.length === 0
  )
    return undefined;
  const finite = [...edges, ...values].every(
    (one) => typeof one === "number" && Number.isFinite(one),
  );
  return finite
    ? { step, timestamp, edges: edges as number[], values: values as number[] }
    : undefined;
}

/** A canvas as wide as its place, drawn again when that or the colours change. */
function Canvas({
  height,
  label,
  draw,
  onPoint,
}: {
  height: number;
  label: string;
  draw: (context: CanvasRenderingContext2D, width: number) => void;
  onPoint?: (share: number) => void;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const paint = () => {
      const width = element.clientWidth;
      element.width = width * devicePixelRatio;
      element.height = height * devicePixelRatio;
      const context = element.getContext("2d");
      if (!context || width === 0) return;
      context.scale(devicePixelRatio, devicePixelRatio);
      draw(context, width);
    };
    const forget = dark.subscribe(paint);
    const watch = new ResizeObserver(paint);
    watch.observe(element);
    return () => {
      watch.disconnect();
      forget();
    };
  });
  const point = (event: PointerEvent) => {
    if (event.type === "pointerdown" || event.buttons) {
      const at = event.currentTarget as HTMLElement;
      const { left, width } = at.getBoundingClientRect();
      onPoint?.((event.clientX - left - LEFT) / (width - LEFT));
    }
  };
  return (
    <canvas
      ref={canvas}
      role="img"
      aria-label={label}
      class={height === BARS ? "bars" : "heat"}
      onPointerDown={point}
      onPointerMove={point}
    />
  );
}

function HeatMap({
  all,
  at,
  onChoose,
  path,
}: {
  all: Bins[];
  at: number;
  onChoose: (at: number) => void;
  path: string;
}) {
  const low = Math.min(...all.map((one) => one.edges[0] as number));
  const high = Math.max(...all.map((one) => one.edges.at(-1) as number));
  const draw = (context: CanvasRenderingContext2D, width: number) => {
    const style = getComputedStyle(document.documentElement);
    const columns = (width - LEFT) / all.length;
    const place = (value: number) =>
      HEIGHT - 16 - ((value - low) / (high - low || 1)) * (HEIGHT - 22);
    context.fillStyle = style.getPropertyValue("--accent");
    all.forEach((one, column) => {
      // By how densely the values lie, so that wide bins are not dark for being wide.
      const dense = one.values.map(
        (value, bin) => value / ((one.edges[bin + 1] as number) - (one.edges[bin] as number) || 1),
      );
      const most = Math.max(...dense) || 1;
      dense.forEach((value, bin) => {
        if (value <= 0) return;
        const top = place(one.edges[bin + 1] as number);
        context.globalAlpha = 0.06 + 0.94 * Math.sqrt(value / most);
        context.fillRect(
          LEFT + column * columns,
          top,
          Math.ceil(columns),
          Math.max(1, place(one.edges[bin] as number) - top),
        );
      });
    });
    context.globalAlpha = 1;
    context.strokeStyle = style.getPropertyValue("--ink");
    context.strokeRect(LEFT + at * columns + 0.5, 4.5, Math.max(2, columns - 1), HEIGHT - 19);
    context.fillStyle = style.getPropertyValue("--faint");
    context.font = "11px system-ui";
    context.textAlign = "right";
    context.fillText(number(high), LEFT - 5, 14);
    context.fillText(number(low), LEFT - 5, HEIGHT - 17);
    const first = all[0]?.step;
    const last = all.at(-1)?.step;
    if (typeof first === "number" && typeof last === "number") {
      context.fillText(number(last), width, HEIGHT - 3);
      context.textAlign = "left";
      context.fillText(number(first), LEFT, HEIGHT - 3);
    }
  };
  return (
    <Canvas
      height={HEIGHT}
      draw={draw}
      label={`${path}: how ${all.length} histograms follow each other, from ${number(low)} to ${number(high)}`}
      onPoint={(share) =>
        onChoose(Math.max(0, Math.min(all.length - 1, Math.floor(share * all.length))))
      }
    />
  );
}

function Bars({ one, label }: { one: Bins; label: string }) {
  const draw = (context: CanvasRenderingContext2D, width: number) => {
    const style = getComputedStyle(document.documentElement);
    const low = one.edges[0] as number;
    const span = (one.edges.at(-1) as number) - low || 1;
    const most = Math.max(...one.values) || 1;
    const place = (value: number) => LEFT + ((value - low) / span) * (width - LEFT);
    context.fillStyle = style.getPropertyValue("--accent");
    one.values.forEach((value, bin) => {
      const left = place(one.edges[bin] as number);
      const tall = (Math.max(0, value) / most) * (BARS - 20);
      context.fillRect(
        left,
        BARS - 16 - tall,
        Math.max(1, place(one.edges[bin + 1] as number) - left - 1),
        tall,
      );
    });
    context.fillStyle = style.getPropertyValue("--faint");
    context.font = "11px system-ui";
    context.textAlign = "right";
    context.fillText(number(most), LEFT - 5, 12);
    context.fillText(number(low + span), width, BARS - 3);
    context.textAlign = "left";
    context.fillText(number(low), LEFT, BARS - 3);
  };
  return <Canvas height={BARS} draw={draw} label={label} />;
}
