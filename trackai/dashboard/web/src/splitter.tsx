// The line between two columns, which can be moved with the mouse, a finger or the arrow keys.

import { useLayoutEffect, useRef } from "preact/hooks";

const LEAST = 320;
const STEP = 24;

/** How wide the first column is; what somebody has chosen is remembered under `name`. */
export function Splitter({ name, label }: { name: string; label: string }) {
  const line = useRef<HTMLDivElement>(null);
  const set = (width: number) => {
    const parent = line.current?.parentElement;
    if (!parent || !line.current) return;
    const most = parent.clientWidth - LEAST;
    const next = Math.round(Math.max(LEAST, Math.min(most, width)));
    parent.style.setProperty("--side", `${next}px`);
    line.current.setAttribute("aria-valuenow", String(next));
    line.current.setAttribute("aria-valuemax", String(most));
    localStorage.setItem(name, String(next));
  };
  const now = () => line.current?.previousElementSibling?.clientWidth ?? LEAST;
  // Before the first frame: nothing beside it jumps.
  useLayoutEffect(() => {
    const kept = Number(localStorage.getItem(name));
    if (kept > 0) set(kept);
    else line.current?.setAttribute("aria-valuenow", String(now()));
  }, []);
  const drag = (event: PointerEvent) => {
    const parent = line.current?.parentElement;
    if (parent && event.buttons) set(event.clientX - parent.getBoundingClientRect().left);
  };
  return (
    <div
      class="splitter"
      ref={line}
      role="separator"
      aria-orientation="vertical"
      aria-label={label}
      aria-valuemin={LEAST}
      aria-valuenow={LEAST}
      tabIndex={0}
      onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={drag}
      onKeyDown={(event) => {
        if (event.key === "ArrowLeft") set(now() - STEP);
        else if (event.key === "ArrowRight") set(now() + STEP);
        else return;
        event.preventDefault();
      }}
    />
  );
}
