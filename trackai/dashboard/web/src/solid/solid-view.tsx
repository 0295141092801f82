// A 3D file that is turned with the mouse, a finger or the keyboard.

import type { Signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { useElementWidth } from "../ui/element-width";
import { errorText } from "../ui/errors";
import { formatNumber, plural } from "../ui/format";
import { ErrorMessage, Loading } from "../ui/messages";
import { afterKey, type Camera, START, turned, zoomed } from "./camera";
import { parseSolid } from "./parse-solid";
import { drawSolid, releaseSolid } from "./renderer";
import { boundsOf, type Solid } from "./solid";
import "../styles/drawings.css";

const MAX_HEIGHT = 420;
// Radians for a pixel.
const DRAG = 0.01;
const WHEEL = 0.001;
const BUTTON_ZOOM = 1.5;

interface Props {
  name: string;
  url: string;
  label: string;
  /** Shared by the viewers of several runs. */
  camera: Signal<Camera>;
}

export function SolidView({ name, url, label, camera }: Props) {
  const [solid, setSolid] = useState<Solid>();
  const [error, setError] = useState("");
  useEffect(() => {
    const stop = new AbortController();
    const load = async () => {
      const response = await fetch(url, { signal: stop.signal });
      if (!response.ok) throw new Error("its content is not on the server");
      setSolid(parseSolid(name, await response.arrayBuffer()));
      setError("");
    };
    load().catch((problem: unknown) => {
      if (stop.signal.aborted) return;
      setSolid(undefined);
      setError(`${name} cannot be drawn: ${errorText(problem)}.`);
    });
    return () => stop.abort();
  }, [url, name]);
  useEffect(() => () => solid && releaseSolid(solid), [solid]);
  if (error) return <ErrorMessage message={error} />;
  if (!solid) return <Loading />;
  return <Stage solid={solid} label={label} camera={camera} />;
}

interface StageProps {
  solid: Solid;
  label: string;
  camera: Signal<Camera>;
}

function Stage({ solid, label, camera }: StageProps) {
  const [box, width] = useElementWidth();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [error, setError] = useState("");
  const height = Math.min(MAX_HEIGHT, Math.round(width * 0.75));
  const view = camera.value;
  useLayoutEffect(() => {
    const target = canvas.current;
    if (!target) return;
    target.width = width * devicePixelRatio;
    target.height = height * devicePixelRatio;
    try {
      drawSolid(solid, view, target);
    } catch (problem) {
      setError(errorText(problem));
    }
  }, [solid, view, width, height]);
  const change = (next: Camera | undefined, event?: Event) => {
    if (!next) return;
    event?.preventDefault();
    camera.value = next;
  };
  const drag = (event: PointerEvent) => {
    if (event.buttons & 1) change(turned(view, -event.movementX * DRAG, event.movementY * DRAG));
  };
  const facts = useMemo(() => describeSolid(solid), [solid]);
  if (error) return <ErrorMessage message={error} />;
  return (
    <div class="solid">
      <div
        ref={box}
        class="stage"
        tabIndex={0}
        role="application"
        aria-roledescription="3D view"
        aria-label={`${label}: ${facts}. Arrow keys turn it, + and - zoom, 0 resets.`}
        onKeyDown={(event) => change(afterKey(view, event.key), event)}
        onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={drag}
        onWheel={(event) => {
          // Without the focus, the page is scrolled.
          if (document.activeElement !== event.currentTarget) return;
          change(zoomed(view, Math.exp(-event.deltaY * WHEEL)), event);
        }}
      >
        <canvas ref={canvas} style={{ width: `${width}px`, height: `${height}px` }} />
      </div>
      <p class="about">
        <span>{facts}</span>
        <button
          type="button"
          aria-label="Zoom in"
          onClick={() => change(zoomed(view, BUTTON_ZOOM))}
        >
          +
        </button>
        <button
          type="button"
          aria-label="Zoom out"
          onClick={() => change(zoomed(view, 1 / BUTTON_ZOOM))}
        >
          −
        </button>
        <button type="button" onClick={() => change(START)}>
          Reset
        </button>
      </p>
    </div>
  );
}

/** What is in a solid, and its size. */
function describeSolid(solid: Solid): string {
  const places = ({ positions }: Solid["points"]) => positions.length / 3;
  const bounds = boundsOf(solid);
  const counts = [
    [places(solid.points), "point"],
    [places(solid.triangles) / 3, "triangle"],
    [places(solid.lines) / 2, "line"],
  ] as const;
  const parts = counts.filter(([count]) => count > 0).map(([count, noun]) => plural(count, noun));
  if (bounds) {
    parts.push(`size ${bounds.sides.map((side) => formatNumber(side, 3)).join(" × ")}`);
  } else {
    parts.push("nothing to draw");
  }
  if (solid.leftOut > 0) parts.push(`${plural(solid.leftOut, "shape")} not finite, not drawn`);
  return parts.join(", ");
}
