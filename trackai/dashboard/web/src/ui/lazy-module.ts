// Modules that are loaded when they are used.

import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { whenIdle } from "./idle";

type Load<T = unknown> = () => Promise<T>;

// What was loaded, by the function that did it.
const loaded = new WeakMap<Load, unknown>();

/** The last module that could not be loaded. An upgrade of the server renames them. */
export const failedLoad = signal<Load | undefined>(undefined);

/** Load a module before it is used; an error is reported where it is used. */
export async function preload(load: Load): Promise<void> {
  try {
    loaded.set(load, await load());
  } catch {
    // `loadModule` tries again.
  }
}

/** Load a module that is used now; a failure is shown on the page, too. */
export async function loadModule<T>(load: Load<T>): Promise<T> {
  try {
    const module = (loaded.get(load) as T | undefined) ?? (await load());
    loaded.set(load, module);
    if (failedLoad.peek() === load) failedLoad.value = undefined;
    return module;
  } catch (problem) {
    console.error(problem);
    failedLoad.value = load;
    throw new Error("This part of the page could not be loaded.");
  }
}

const PRELOAD_MS = 1000;

/** Load modules when the page is shown and idle, so that they are there when used. */
export function usePreloaded(...loads: Load[]): void {
  useEffect(() => {
    const stop = new AbortController();
    const timer = setTimeout(async () => {
      // One at a time: the user may begin to do something after each.
      for (const load of loads) {
        await whenIdle(stop.signal);
        if (stop.signal.aborted) return;
        await preload(load);
      }
    }, PRELOAD_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, []);
}

/** The module that `load` imports; undefined while it is loading. */
export function useModule<T>(load: Load<T>): { module: T | undefined; error: string } {
  const [state, setState] = useState<{ module: T | undefined; error: string }>(() => ({
    module: loaded.get(load) as T | undefined,
    error: "",
  }));
  useEffect(() => {
    if (state.module) return;
    loadModule(load).then(
      (module) => setState({ module, error: "" }),
      (problem) => setState({ module: undefined, error: problem.message }),
    );
  }, []);
  return state;
}
