// Which of the chosen runs belong together: they are one line where means are shown.

import { ask, Refused, type Value } from "./api";
import { colorAt, dashAt } from "./colors";
import { value } from "./format";
import { usePolled } from "./poll";

export interface Together {
  value: Value;
  run_ids: number[];
}

/** The chosen runs by a field; none if there is none, or it cannot be read. They are in the order of their lines. */
export function useTogether(runIds: number[], by: string): Together[] {
  const { data = [] } = usePolled(
    async () => {
      if (!by || runIds.length === 0) return [];
      // All groups, and none of their points.
      const body = { run_ids: runIds, metric_paths: [], points: 10, group_by: by };
      try {
        return (await ask<{ groups: Together[] }>("POST", "/api/metrics/compare", body)).groups;
      } catch (problem) {
        if (problem instanceof Refused) return [];
        throw problem;
      }
    },
    by ? 5000 : 0,
    [runIds.join(), by],
  );
  return data;
}

/** How a line is drawn. */
export interface Stroke {
  color: string;
  dash: number[];
}

export const strokeAt = (at: number): Stroke => ({ color: colorAt(at), dash: dashAt(at) });

export const called = (of: Value): string => (of === null ? "(none)" : value(of));
