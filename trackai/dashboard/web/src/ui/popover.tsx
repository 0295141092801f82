// Popovers close on Escape, on a click outside, and when they lose the focus.

import type { ComponentChildren, RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface PopoverProps {
  ref: RefObject<HTMLDetailsElement>;
  onKeyDown: (event: KeyboardEvent) => void;
  onFocusOut: (event: FocusEvent) => void;
}

/** The props of a `details` element that is a popover, and a function that closes it. */
export function usePopover(): [PopoverProps, (focusSummary: boolean) => void] {
  const ref = useRef<HTMLDetailsElement>(null);
  const close = (focusSummary: boolean) => {
    if (!ref.current?.open) return;
    ref.current.open = false;
    if (focusSummary) ref.current.querySelector("summary")?.focus();
  };
  const isOutside = (target: EventTarget | null) => !ref.current?.contains(target as Node);
  useEffect(() => {
    const onPointerDown = (event: Event) => {
      if (isOutside(event.target)) close(false);
    };
    addEventListener("pointerdown", onPointerDown);
    return () => removeEventListener("pointerdown", onPointerDown);
  }, []);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !ref.current?.open) return;
    // Keep a surrounding dialog open.
    event.preventDefault();
    event.stopPropagation();
    close(true);
  };
  const onFocusOut = (event: FocusEvent) => {
    if (event.relatedTarget && isOutside(event.relatedTarget)) close(false);
  };
  return [{ ref, onKeyDown, onFocusOut }, close];
}

interface MenuProps {
  summary: ComponentChildren;
  onToggle?: (isOpen: boolean) => void;
  children: ComponentChildren;
}

/** A menu below its summary. */
export function Menu({ summary, onToggle, children }: MenuProps) {
  const [popover] = usePopover();
  return (
    <details
      class="chooser"
      {...popover}
      onToggle={(event) => onToggle?.(event.currentTarget.open)}
    >
      <summary>{summary}</summary>
      <div class="menu">{children}</div>
    </details>
  );
}
