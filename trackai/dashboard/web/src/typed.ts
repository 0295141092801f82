// Inputs that are read now and then: what somebody is typing in them is not taken away meanwhile.

import type { RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

/** For an input without `value`: it gets this one when it changes, unless somebody is typing. */
export function useTyped(value: string): RefObject<HTMLInputElement> {
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    if (input.current && input.current !== document.activeElement) input.current.value = value;
  }, [value]);
  return input;
}
