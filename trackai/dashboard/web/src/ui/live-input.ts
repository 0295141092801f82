// Inputs whose value may change while the user types.

import type { RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

/** A ref for an uncontrolled input: sets its value on changes, unless the input has the focus. */
export function useLiveInput(value: string): RefObject<HTMLInputElement> {
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    if (input.current && input.current !== document.activeElement) input.current.value = value;
  }, [value]);
  return input;
}
