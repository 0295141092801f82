// A divider between two columns, moved with the pointer or the arrow keys.

import { useLayoutEffect, useRef } from "preact/hooks";

const MIN_WIDTH = 320;
const STEP = 24;

/** Sets the width of the first column and stores it in the browser under `storageKey`. */
export function Splitter({ storageKey, label }: { storageKey: string; label: string }) {
  const divider = useRef<HTMLDivElement>(null);
  const setWidth = (width: number) => {
    const parent = divider.current?.parentElement;
    if (!parent || !divider.current) return;
    const maxWidth = parent.clientWidth - MIN_WIDTH;
    const clamped = Math.round(Math.max(MIN_WIDTH, Math.min(maxWidth, width)));
    parent.style.setProperty("--side", `${clamped}px`);
    divider.current.setAttribute("aria-valuenow", String(clamped));
    divider.current.setAttribute("aria-valuemax", String(maxWidth));
    localStorage.setItem(storageKey, String(clamped));
  };
  const currentWidth = () => divider.current?.previousElementSibling?.clientWidth ?? MIN_WIDTH;
  // Before the first frame, so that nothing moves.
  useLayoutEffect(() => {
    const stored = Number(localStorage.getItem(storageKey));
    if (stored > 0) setWidth(stored);
  }, []);
  // After each layout that changes it.
  useLayoutEffect(() => {
    const first = divider.current?.previousElementSibling;
    if (!first) return;
    const observer = new ResizeObserver(() =>
      divider.current?.setAttribute("aria-valuenow", String(currentWidth())),
    );
    observer.observe(first);
    return () => observer.disconnect();
  }, []);
  const drag = (event: PointerEvent) => {
    const parent = divider.current?.parentElement;
    if (parent && event.buttons) setWidth(event.clientX - parent.getBoundingClientRect().left);
  };
  return (
    <div
      class="splitter"
      ref={divider}
      role="separator"
      aria-orientation="vertical"
      aria-label={label}
      aria-valuemin={MIN_WIDTH}
      aria-valuenow={MIN_WIDTH}
      tabIndex={0}
      onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={drag}
      onKeyDown={(event) => {
        if (event.key === "ArrowLeft") setWidth(currentWidth() - STEP);
        else if (event.key === "ArrowRight") setWidth(currentWidth() + STEP);
        else return;
        event.preventDefault();
      }}
    />
  );
}
