// A panel in the grid of its section; while the view is edited, with handles to move and resize it.

import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import type { Panel } from "../api/views";
import {
  COLUMNS,
  changePanel,
  HEIGHTS,
  MIN_WIDTH,
  movePanel,
  type Place,
  removePanel,
  shiftPanel,
  titleOf,
} from "./layout";
import { placeAt, resized, type Size, scrollNearEdge } from "./pointer";
import { changeDraft } from "./view-state";

/** The panel that is dragged, and where it would be dropped. */
const dragged = signal<{ id: string; place: Place | undefined } | undefined>(undefined);

interface FrameProps {
  /** The view whose draft is changed; undefined while it is not edited. */
  viewId: number | undefined;
  panel: Panel;
  onEdit: () => void;
  children: ComponentChildren;
}

export function PanelFrame({ viewId, panel, onEdit, children }: FrameProps) {
  const box = useRef<HTMLDivElement>(null);
  return (
    <div
      class={`panel ${dropClass(panel.id)}`}
      ref={box}
      data-panel={panel.id}
      style={{ "--width": panel.width }}
    >
      {viewId !== undefined && <PanelTools viewId={viewId} panel={panel} onEdit={onEdit} />}
      {children}
      {viewId !== undefined && <ResizeHandle viewId={viewId} panel={panel} box={box} />}
    </div>
  );
}

function dropClass(id: string): string {
  const { value } = dragged;
  if (value?.id === id) return "dragged";
  const { place } = value ?? {};
  return place && "beside" in place && place.beside === id ? `drop-${place.side}` : "";
}

/** Focus a handle of a panel that was moved, and may be another element now. */
const focusHandle = (id: string, handle: string) =>
  requestAnimationFrame(() =>
    document
      .querySelector<HTMLElement>(`[data-panel="${CSS.escape(id)}"] .${handle}`)
      ?.focus({ preventScroll: false }),
  );

const STEPS: Record<string, 1 | -1> = {
  ArrowLeft: -1,
  ArrowUp: -1,
  ArrowRight: 1,
  ArrowDown: 1,
};

interface ToolsProps {
  viewId: number;
  panel: Panel;
  onEdit: () => void;
}

function PanelTools({ viewId, panel, onEdit }: ToolsProps) {
  const title = titleOf(panel);
  const { id, pinned } = panel;
  return (
    <div class="panel-tools" role="group" aria-label={`Panel ${title}`}>
      <MoveHandle viewId={viewId} id={id} title={title} />
      <button
        type="button"
        class="quiet"
        aria-label={`Pin ${title}`}
        aria-pressed={pinned}
        title={pinned ? "Unpin" : "Pin: show before all sections"}
        onClick={() => {
          changeDraft(viewId, (layout) => changePanel(layout, id, { pinned: !pinned }));
        }}
      >
        {pinned ? "★" : "☆"}
      </button>
      <button
        type="button"
        class="quiet"
        aria-label={`Edit ${title}`}
        title="Edit"
        onClick={onEdit}
      >
        ✎
      </button>
      <button
        type="button"
        class="quiet"
        aria-label={`Remove ${title}`}
        title="Remove"
        onClick={() => changeDraft(viewId, (layout) => removePanel(layout, id))}
      >
        ✕
      </button>
    </div>
  );
}

function MoveHandle({ viewId, id, title }: { viewId: number; id: string; title: string }) {
  const cancel = () => {
    dragged.value = undefined;
  };
  const onPointerMove = (event: PointerEvent) => {
    if (dragged.value?.id !== id) return;
    scrollNearEdge(event);
    dragged.value = { id, place: placeAt(event.clientX, event.clientY, id) };
  };
  const drop = () => {
    const { value } = dragged;
    cancel();
    if (value?.id !== id || !value.place) return;
    const { place } = value;
    changeDraft(viewId, (layout) => movePanel(layout, id, place));
    focusHandle(id, "move");
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = STEPS[event.key];
    if (event.key === "Escape") cancel();
    if (!step) return;
    event.preventDefault();
    changeDraft(viewId, (layout) => shiftPanel(layout, id, step));
    focusHandle(id, "move");
  };
  return (
    <button
      type="button"
      class="quiet move"
      aria-label={`Move ${title}: drag, or use arrow keys`}
      title="Move: drag, or use arrow keys"
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        dragged.value = { id, place: undefined };
      }}
      onPointerMove={onPointerMove}
      onPointerUp={drop}
      onPointerCancel={cancel}
      onKeyDown={onKeyDown}
    >
      ⠿
    </button>
  );
}

interface ResizeProps {
  viewId: number;
  panel: Panel;
  box: { current: HTMLDivElement | null };
}

function ResizeHandle({ viewId, panel, box }: ResizeProps) {
  const { id } = panel;
  const start = useRef<{ x: number; y: number }>();
  const set = (size: Size) => changeDraft(viewId, (layout) => changePanel(layout, id, size));
  const sizeAt = (event: PointerEvent): Size | undefined => {
    const grid = box.current?.parentElement;
    if (!start.current || !grid) return undefined;
    const moved = { x: event.clientX - start.current.x, y: event.clientY - start.current.y };
    return resized(panel, moved, grid.clientWidth);
  };
  // Only the frame follows the pointer; the chart is drawn again at the end.
  const preview = (size: Size | undefined) => {
    box.current?.style.setProperty("--width", String((size ?? panel).width));
    box.current?.style.setProperty("--extra", `${(size ?? panel).height - panel.height}px`);
  };
  const end = (size: Size | undefined) => {
    start.current = undefined;
    preview(undefined);
    if (size) set(size);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape") return end(undefined);
    const { width, height } = panel;
    const size = {
      ArrowLeft: { width: width - 1, height },
      ArrowRight: { width: width + 1, height },
      ArrowUp: { width, height: height - HEIGHTS.step },
      ArrowDown: { width, height: height + HEIGHTS.step },
    }[event.key];
    if (!size) return;
    event.preventDefault();
    set({
      width: Math.min(COLUMNS, Math.max(MIN_WIDTH, size.width)),
      height: Math.min(HEIGHTS.max, Math.max(HEIGHTS.min, size.height)),
    });
  };
  return (
    <button
      type="button"
      class="resize"
      aria-label={`Resize ${titleOf(panel)}: drag, or use arrow keys`}
      title={`${panel.width} of ${COLUMNS} wide, ${panel.height} high`}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        start.current = { x: event.clientX, y: event.clientY };
      }}
      onPointerMove={(event) => start.current && preview(sizeAt(event))}
      onPointerUp={(event) => end(sizeAt(event))}
      onPointerCancel={() => end(undefined)}
      onKeyDown={onKeyDown}
    />
  );
}
