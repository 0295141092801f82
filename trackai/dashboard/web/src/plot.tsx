// One chart: a line for each run, or group of runs, with the band around it.

import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { type Range, said } from "./api";
import { dark } from "./colors";
import { type Answer, curves, type Line, lines as made, stepsBetween } from "./curves";
import { join, type Look, options, shape, view, type Window } from "./draw";
import { inAFrame, inTurn } from "./queue";
import { read, write } from "./readout";
import {
  clipped,
  fullPath,
  go,
  hidden,
  logScale,
  logX,
  meanOf,
  range,
  smoothing,
  xAxis,
} from "./view";

const POLL = 2000;
// Runs that have ended change when somebody imports or resumes them.
const SELDOM = 30_000;

export interface Drawn {
  lines: Line[];
  /** Those that are hidden, too. */
  all: Line[];
  look: Look;
  window: Window;
  at: number;
}

interface Props {
  path: string;
  runIds: number[];
  names: Map<number, string>;
  /** Whether it is on screen: only then it is fetched and drawn. */
  live: boolean;
  /** Which of the runs are being logged now; undefined while that is not known. */
  running: number[] | undefined;
  height: number;
  /** What is drawn, for those who show it in another way. */
  onDrawn?: (drawn: Drawn) => void;
}

// Metrics that have no steps, as the server said: by the time since their runs began.
const withoutSteps = new Set<string>();
// Which chart was zoomed last; it is asked for first.
let zoomed = "";

export function Plot({ path, runIds, names, live, running, height, onDrawn }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const spoken = useRef<HTMLParagraphElement>(null);
  const plot = useRef<uPlot>();
  const kind = useRef("");
  const whole = useRef<Answer>();
  const now = useRef<{ lines: Line[]; look: Look; window: Window }>();
  const alive = useRef(running);
  alive.current = running;
  const [answer, setAnswer] = useState<Answer>();
  const [error, setError] = useState("");

  const groupBy = runIds.length > 1 ? meanOf.value : "";
  const wanted = xAxis.value === "time" && groupBy ? "relative" : xAxis.value;
  const x = wanted === "step" && withoutSteps.has(path) ? "relative" : wanted;
  const zoom = range.value?.axis === x ? range.value : undefined;
  const asked = [
    path,
    runIds.join(","),
    x,
    zoom?.min,
    zoom?.max,
    smoothing.value,
    groupBy,
    logX.value,
  ].join("\u0000");
  const series = [path, runIds.join(","), x, smoothing.value, groupBy, logX.value].join("\u0000");
  const labels = runIds.map((id) => names.get(id)).join("\u0000");
  useEffect(() => {
    whole.current = undefined;
  }, [series]);

  useEffect(() => {
    if (!live || runIds.length === 0) return;
    // Back from a part of it, the whole is at hand.
    if (!zoom && whole.current) setAnswer(whole.current);
    const stop = new AbortController();
    let timer = 0;
    let shown = "";
    let asking = runIds;
    let last: Answer | undefined;
    let lastAlive: number[] | undefined;
    let complete = 0;
    const question = (axis: typeof x, steps?: Range) => {
      const points = Math.min(
        2000,
        Math.max(50, Math.round((box.current?.clientWidth ?? 400) / 2)),
      );
      const one = {
        runIds: asking,
        path,
        points,
        x: axis,
        smoothing: smoothing.value,
        groupBy,
        steps,
        logX: logX.value && axis !== "time",
      };
      return inTurn(() => curves(one, stop.signal), stop.signal, path === zoomed);
    };
    // What turns out to have no steps is shown over the time, all of it: a part of the steps is none of it.
    const orOverTime = async (found: Answer) => {
      if (x !== "step" || ![...found.runs.values()].some((chart) => chart.x === "time"))
        return found;
      withoutSteps.add(path);
      return question("relative");
    };
    // Runs that have ended are asked for now and then. Where runs share buckets, or a part of an axis that is not
    // the step, what is shown of each depends on the others.
    const due = () => {
      if (!last || !lastAlive || !alive.current || Date.now() - complete >= SELDOM) return runIds;
      const some = runIds.filter((id) => lastAlive?.includes(id) || alive.current?.includes(id));
      return some.length > 0 && (groupBy || (zoom && x !== "step")) ? runIds : some;
    };
    const load = async () => {
      asking = last && document.hidden ? [] : due();
      if (asking.length > 0) await look();
      if (!stop.signal.aborted) timer = window.setTimeout(load, POLL);
    };
    const look = async () => {
      const all = asking.length === runIds.length;
      const add = (fresh: Answer) => (all ? fresh : together(runIds, last, fresh));
      const aliveNow = alive.current;
      try {
        let found: Answer;
        if (zoom && x === "step") {
          const room = (zoom.max - zoom.min) * 0.02;
          found = add(
            await orOverTime(await question(x, { min: zoom.min - room, max: zoom.max + room })),
          );
        } else {
          found = add(await orOverTime(await question(x)));
          whole.current = found;
          const steps = zoom && stepsBetween(found, zoom);
          if (steps) found = await question(x, steps);
        }
        last = found;
        lastAlive = aliveNow;
        if (all) complete = Date.now();
        // An unchanged chart is not drawn again, and nothing that the user points at moves.
        const now = JSON.stringify([[...found.runs], found.groups]);
        if (now !== shown) setAnswer(found);
        shown = now;
        setError("");
      } catch (problem) {
        if (!stop.signal.aborted) setError(said(problem));
      }
    };
    void load();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [asked, live]);

  useEffect(() => {
    const element = box.current;
    if (!element || !answer) return;
    const all = made(answer, names, smoothing.value > 0);
    const lines = all.filter((one) => !hidden.value.includes(one.key));
    const axis = all[0]?.axis;
    const look: Look = {
      logX: logX.value && axis !== "time",
      logY: logScale.value,
      clipped: clipped.value,
      zoom: range.value?.axis === axis ? range.value : undefined,
    };
    const window = view(lines, look);
    now.current = { lines, look, window };
    onDrawn?.({ lines, all, look, window, at: Date.now() });
    const next = shape(lines, look) + dark.value + height;
    const draw = () => {
      if (plot.current && next === kind.current) {
        plot.current.setData(join(lines, look, window));
        return;
      }
      plot.current?.destroy();
      kind.current = next;
      plot.current = new uPlot(
        options({
          width: element.clientWidth,
          height,
          lines,
          look: () => now.current?.look ?? look,
          window: () => now.current?.window ?? window,
          marks: () => now.current?.lines ?? lines,
          sync: true,
          onZoom: (part) => {
            zoomed = path;
            zoomTo(axis ?? "step", part);
          },
          onPoint: (self) => point(self, now.current?.lines ?? lines),
        }),
        join(lines, look, window),
        element,
      );
    };
    // The one in somebody's hand at once, the others as there is time.
    if (path !== zoomed) return inAFrame(draw);
    draw();
  }, [
    answer,
    labels,
    smoothing.value,
    logScale.value,
    logX.value,
    clipped.value,
    range.value,
    hidden.value,
    dark.value,
    height,
  ]);

  // The cursor moves in all charts at once; only the one that is pointed at says what is there.
  const point = (self: uPlot, lines: Line[]) => {
    if (!tip.current) return;
    const pointed = self.over.matches(":hover") || document.activeElement === box.current;
    const words = write(tip.current, self, pointed ? read(self, lines) : []);
    if (spoken.current && document.activeElement === box.current)
      spoken.current.textContent = words;
  };

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const watch = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height }),
    );
    watch.observe(element);
    return () => {
      watch.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
      kind.current = "";
    };
  }, [height]);

  const none =
    answer && !answer.groups && [...answer.runs.values()].every((chart) => chart.data.length === 0);
  return (
    <>
      <div
        class="plot"
        ref={box}
        style={{ minHeight: `${height}px` }}
        tabIndex={0}
        role="group"
        aria-roledescription="chart"
        aria-label={`${path}: arrow keys read it, plus and minus zoom`}
        onDblClick={() => zoomTo("", undefined)}
        onKeyDown={(event) => key(event, plot.current, now.current?.lines[0]?.axis ?? x)}
        onBlur={() => tip.current && (tip.current.hidden = true)}
      >
        <div class="readout" ref={tip} hidden aria-hidden="true" />
      </div>
      <p class="unseen" ref={spoken} aria-live="polite" />
      {error && (
        <p class="problem" role="alert">
          {error}
        </p>
      )}
      {none && <p class="empty">{whyEmpty(answer, runIds)}</p>}
    </>
  );
}

/** The charts of all runs: the fresh ones, and of the others those that were there before. */
function together(runIds: number[], before: Answer | undefined, fresh: Answer): Answer {
  const runs: Answer["runs"] = new Map();
  for (const id of runIds) {
    const chart = fresh.runs.get(id) ?? before?.runs.get(id);
    if (chart) runs.set(id, chart);
  }
  return { runs };
}

function whyEmpty({ runs, gone }: Answer, runIds: number[]): string {
  if (runs.size > 0)
    return range.value ? "Nothing was logged in this range." : "There are no points.";
  return gone?.length === runIds.length
    ? "The chosen runs have been deleted."
    : "Not logged by the chosen runs.";
}

export function zoomTo(axis: string, part: Range | undefined): void {
  const short = (value: number) => Number(value.toPrecision(9));
  // What fills the screen is one entry of the history, whatever is done in it.
  go(
    { range: part && `${axis}:${short(part.min)}:${short(part.max)}` },
    { replace: fullPath.value !== undefined },
  );
}

/** Arrow keys move the cursor, plus and minus zoom around it, Escape shows all again. */
function key(event: KeyboardEvent, self: uPlot | undefined, axis: string): void {
  if (!self || event.ctrlKey || event.metaKey || event.altKey) return;
  const { width, height } = self.over.getBoundingClientRect();
  const left = self.cursor.left ?? -1;
  const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (move !== undefined) {
    const xs = self.data[0];
    const from = left < 0 ? (move > 0 ? -1 : xs.length) : self.posToIdx(left);
    const jump = move * (event.shiftKey ? Math.ceil(xs.length / 20) : 1);
    const x = xs[Math.min(xs.length - 1, Math.max(0, from + jump))];
    if (x !== undefined)
      self.setCursor({
        left: Math.min(width, Math.max(0, self.valToPos(x, "x"))),
        top: height / 2,
      });
  } else if (event.key === "+" || event.key === "-") {
    const share = event.key === "+" ? 0.25 : 1;
    const middle = left < 0 ? width / 2 : left;
    zoomTo(axis, {
      min: self.posToVal(middle - width * share, "x"),
      max: self.posToVal(middle + width * share, "x"),
    });
  } else if (event.key === "Escape" && range.value && !self.root.closest("dialog")) {
    zoomTo("", undefined);
  } else {
    return;
  }
  event.preventDefault();
}
