// What opens over the page goes with Escape, with a click elsewhere, and when the focus leaves it.

import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface Dismissed {
  ref: RefObject<HTMLDetailsElement>;
  onKeyDown: (event: KeyboardEvent) => void;
  onFocusOut: (event: FocusEvent) => void;
}

/** What a `details` needs for that, and how it is closed, with the focus on its summary or not. */
export function useDismissed(): [Dismissed, (focus: boolean) => void] {
  const ref = useRef<HTMLDetailsElement>(null);
  const close = (focus: boolean) => {
    if (!ref.current?.open) return;
    ref.current.open = false;
    if (focus) ref.current.querySelector("summary")?.focus();
  };
  useEffect(() => {
    const away = (event: Event) => {
      if (!ref.current?.contains(event.target as Node)) close(false);
    };
    addEventListener("pointerdown", away);
    return () => removeEventListener("pointerdown", away);
  }, []);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !ref.current?.open) return;
    // Not the dialog around it.
    event.preventDefault();
    event.stopPropagation();
    close(true);
  };
  const onFocusOut = (event: FocusEvent) => {
    if (event.relatedTarget && !ref.current?.contains(event.relatedTarget as Node)) close(false);
  };
  return [{ ref, onKeyDown, onFocusOut }, close];
}
