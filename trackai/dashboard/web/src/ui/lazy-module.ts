// Modules that are loaded when they are used.

import { useEffect, useState } from "preact/hooks";
import { errorText } from "./errors";

/** The module that `load` imports; undefined while it is loading. */
export function useModule<T>(load: () => Promise<T>): { module: T | undefined; error: string } {
  const [state, setState] = useState<{ module: T | undefined; error: string }>({
    module: undefined,
    error: "",
  });
  useEffect(() => {
    load().then(
      (module) => setState({ module, error: "" }),
      // As after an upgrade of the server: the names of the scripts are others.
      (problem) => setState({ module: undefined, error: `Reload the page: ${errorText(problem)}` }),
    );
  }, []);
  return state;
}
