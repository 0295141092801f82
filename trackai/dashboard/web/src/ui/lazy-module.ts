// Modules that are loaded when they are used.

import { useEffect, useState } from "preact/hooks";
import { errorText } from "./errors";

type Load = () => Promise<unknown>;

// What was loaded, by the function that did it.
const loaded = new WeakMap<Load, unknown>();

/** Load a module before it is used; an error is reported where it is used. */
export async function preload(load: Load): Promise<void> {
  try {
    loaded.set(load, await load());
  } catch {
    // `useModule` tries again.
  }
}

const PRELOAD_MS = 1000;

/** Load modules when the page has been shown for a while, so that they are there when used. */
export function usePreloaded(...loads: Load[]): void {
  useEffect(() => {
    const timer = setTimeout(() => loads.forEach(preload), PRELOAD_MS);
    return () => clearTimeout(timer);
  }, []);
}

/** The module that `load` imports; undefined while it is loading. */
export function useModule<T>(load: () => Promise<T>): { module: T | undefined; error: string } {
  const [state, setState] = useState<{ module: T | undefined; error: string }>(() => ({
    module: loaded.get(load) as T | undefined,
    error: "",
  }));
  useEffect(() => {
    if (state.module) return;
    load().then(
      (module) => {
        loaded.set(load, module);
        setState({ module, error: "" });
      },
      // As after an upgrade of the server: the names of the scripts are others.
      (problem) => setState({ module: undefined, error: `Reload the page: ${errorText(problem)}` }),
    );
  }, []);
  return state;
}
