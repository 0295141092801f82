// A chart on its card, or on the whole screen, and what can be done with it.

import type { ComponentChildren, RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Line } from "./curves";
import { useDismissed } from "./dismissed";
import type { Window } from "./draw";
import { clock, number } from "./format";
import { png, svg } from "./picture";
import { type Drawn, Plot, zoomTo } from "./plot";
import { extent } from "./scale";
import { allPointsCsv, drawnCsv, fileName, save } from "./save";
import { go, hidden, meanOf, range } from "./view";

interface Props {
  path: string;
  runIds: number[];
  names: Map<number, string>;
  running: number[] | undefined;
}

// One watch over all cards.
const shown = new Map<Element, (seen: boolean) => void>();
const watch = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) shown.get(entry.target)?.(entry.isIntersecting);
  },
  { rootMargin: "200px" },
);

/** A chart that is fetched and drawn only while it is (nearly) on screen. */
export function Card(props: Props) {
  const box = useRef<HTMLElement>(null);
  const drawn = useRef<Drawn>();
  const [seen, setSeen] = useState(false);
  const [missing, setMissing] = useState("");
  // What nobody has scrolled to is only a frame with a name.
  const met = useRef(false);
  met.current ||= seen;
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    shown.set(element, setSeen);
    watch.observe(element);
    return () => {
      watch.unobserve(element);
      shown.delete(element);
    };
  }, []);
  return (
    <figure class="card chart" ref={box}>
      <header>
        <figcaption title={props.path}>{props.path}</figcaption>
        <Missing said={missing} />
        <button
          type="button"
          class="quiet"
          aria-label={`Full screen: ${props.path}`}
          title="Full screen"
          onClick={() => openFull(props.path)}
        >
          ⤢
        </button>
        {met.current && <Menu {...props} drawn={drawn} />}
      </header>
      {met.current && (
        <Plot
          {...props}
          live={seen}
          height={210}
          onDrawn={(one) => {
            drawn.current = one;
            setMissing(leftOut(one.window));
          }}
        />
      )}
    </figure>
  );
}

/** What is there and not to be seen. */
function leftOut({ outside, below, of }: Window): string {
  const parts: string[] = [];
  if (outside > 0)
    parts.push(`${outside} ${outside === 1 ? "outlier" : "outliers"} of ${of} values clipped`);
  if (below > 0) parts.push(`${below} of ${of} values not above 0`);
  return parts.join(", ");
}

const Missing = ({ said }: { said: string }) =>
  said ? (
    <output class="left-out" title={said}>
      {said}
    </output>
  ) : null;

/** What a chart can be saved as. */
function Menu({ path, runIds, names, drawn }: Props & { drawn: RefObject<Drawn | undefined> }) {
  const [dismissed, close] = useDismissed();
  const [said, setSaid] = useState("");
  const stop = useRef<AbortController>();
  const act = (work: (drawn: Drawn) => Promise<void> | void) => async () => {
    close(true);
    if (!drawn.current) return setSaid("Nothing is drawn yet.");
    try {
      setSaid("");
      await work(drawn.current);
    } catch (problem) {
      if (!stop.current?.signal.aborted)
        setSaid(problem instanceof Error ? problem.message : String(problem));
    }
  };
  const asPng = act(async (one) => save(fileName(path, "png"), await png(path, one)));
  const asSvg = act((one) =>
    save(fileName(path, "svg"), new Blob([svg(path, one)], { type: "image/svg+xml" })),
  );
  const asCsv = act((one) =>
    save(fileName(path, "csv"), new Blob([drawnCsv(one)], { type: "text/csv" })),
  );
  const all = act(async () => {
    stop.current = new AbortController();
    const runs = runIds.map((id) => [id, names.get(id) ?? `run ${id}`] as [number, string]);
    const found = await allPointsCsv(
      path,
      runs,
      (points) => setSaid(`${points} points …`),
      stop.current.signal,
    );
    save(fileName(path, "points.csv"), found);
    setSaid("");
  });
  useEffect(() => () => stop.current?.abort(), []);
  return (
    <>
      {said && <output class="said">{said}</output>}
      <details class="more" {...dismissed}>
        <summary class="quiet" aria-label={`Save ${path}`} title="Save">
          ⤓
        </summary>
        <div class="menu">
          <button type="button" onClick={asPng}>
            PNG picture
          </button>
          <button type="button" onClick={asSvg}>
            SVG picture
          </button>
          <button type="button" onClick={asCsv}>
            CSV, as drawn
          </button>
          <button type="button" onClick={all}>
            CSV, all points
          </button>
        </div>
      </details>
    </>
  );
}

// Whether the page has opened what fills the screen; an address may have.
let opened = false;

function openFull(path: string): void {
  opened = true;
  go({ full: path });
}

/** Back to the entry in the history from which it was opened, with the view as it is now. */
function closeFull(): void {
  const view = Object.fromEntries(new URLSearchParams(location.search));
  const close = () => go({ ...view, full: undefined }, { keep: false, replace: true });
  if (!opened) return close();
  opened = false;
  addEventListener("popstate", close, { once: true });
  history.back();
}

/** What brings back what is not shown: all of the axis, all lines. */
export function Undo({ runIds }: { runIds: number[] }) {
  // What is hidden of runs is not of their means.
  const off = hidden.value.filter((key) =>
    key.startsWith(runIds.length > 1 && meanOf.value ? "group " : "run "),
  );
  const part = range.value;
  const shown = (value: number) =>
    part?.axis === "time"
      ? clock(value)
      : part?.axis === "step"
        ? number(Math.round(value * 100) / 100)
        : `${number(value)} s`;
  const ends = part && [...new Set([shown(part.min), shown(part.max)])];
  return (
    <>
      {off.length > 0 && (
        <button
          type="button"
          class="pressed"
          onClick={() =>
            go(
              { hide: hidden.value.filter((key) => !off.includes(key)).join("\n") },
              { replace: true },
            )
          }
        >
          Show {off.length} hidden
        </button>
      )}
      {ends && (
        <button type="button" class="pressed" onClick={() => zoomTo("", undefined)}>
          Reset zoom{" "}
          <small>
            {part.axis === "step" && "step "}
            {ends.join(" – ")}
          </small>
        </button>
      )}
    </>
  );
}

/** A chart on the whole screen, with a legend. */
export function FullScreen({ tools, ...props }: Props & { tools: ComponentChildren }) {
  const box = useRef<HTMLDialogElement>(null);
  const drawn = useRef<Drawn>();
  const [lines, setLines] = useState<Line[]>([]);
  const [missing, setMissing] = useState("");
  const [height, setHeight] = useState(Math.max(220, innerHeight - 190));
  // Before the chart looks how wide it is.
  useLayoutEffect(() => box.current?.showModal(), []);
  useEffect(() => {
    const resized = () => setHeight(Math.max(220, innerHeight - 190));
    addEventListener("resize", resized);
    return () => removeEventListener("resize", resized);
  }, []);
  return (
    <dialog class="full chart" ref={box} aria-label={props.path} onClose={closeFull}>
      <header>
        <h2>{props.path}</h2>
        <Missing said={missing} />
        <Undo runIds={props.runIds} />
        <Menu {...props} drawn={drawn} />
        <button
          type="button"
          class="quiet"
          aria-label="Close"
          title="Close"
          onClick={() => box.current?.close()}
        >
          ✕
        </button>
      </header>
      <form class="tools" onSubmit={(event) => event.preventDefault()}>
        {tools}
      </form>
      <Plot
        {...props}
        live
        height={height}
        onDrawn={(one) => {
          drawn.current = one;
          setLines(one.all);
          setMissing(leftOut(one.window));
        }}
      />
      <Legend lines={lines} />
    </dialog>
  );
}

function Legend({ lines }: { lines: Line[] }) {
  return (
    <ul class="legend">
      {lines.map((one) => {
        const [low, high] = extent([...(one.low ?? []), ...(one.high ?? []), ...one.y]) ?? [];
        const shown = !hidden.value.includes(one.key);
        const others = hidden.value.filter((key) => key !== one.key);
        return (
          <li key={one.key}>
            <button
              type="button"
              aria-pressed={shown}
              disabled={lines.length === 1}
              title={shown ? "Hide it in the charts" : "Show it in the charts"}
              onClick={() =>
                go({ hide: (shown ? [...others, one.key] : others).join("\n") }, { replace: true })
              }
            >
              <Swatch color={one.color} dashed={one.dash.length > 0} />
              <span>{one.label}</span>{" "}
              <small>
                {low !== undefined && high !== undefined && `${number(low)} … ${number(high)}`}
              </small>
            </button>
          </li>
        );
      })}
    </ul>
  );
}

export function Swatch({ color, dashed }: { color: string; dashed: boolean }) {
  return <i class={dashed ? "swatch dashed" : "swatch"} style={{ borderTopColor: color }} />;
}
