// Modules that are loaded when they are used.

import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";

type Load = () => Promise<unknown>;

// What was loaded, by the function that did it.
const loaded = new WeakMap<Load, unknown>();

/** The last module that could not be loaded. An upgrade of the server renames them. */
export const failedLoad = signal<Load | undefined>(undefined);

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
        if (failedLoad.peek() === load) failedLoad.value = undefined;
        setState({ module, error: "" });
      },
      (problem) => {
        console.error(problem);
        failedLoad.value = load;
        setState({ module: undefined, error: "This part of the page could not be loaded." });
      },
    );
  }, []);
  return state;
}
