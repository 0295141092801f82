// Callbacks for components that are only rendered again when their properties change.

import { useCallback, useRef } from "preact/hooks";

/** A function that stays the same, and calls the callback of the latest render. */
export function useStableCallback<Parameters extends unknown[], Result>(
  callback: (...parameters: Parameters) => Result,
): (...parameters: Parameters) => Result {
  const latest = useRef(callback);
  latest.current = callback;
  return useCallback((...parameters: Parameters) => latest.current(...parameters), []);
}
