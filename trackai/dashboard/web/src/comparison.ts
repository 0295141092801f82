// What is compared: the values of some fields of some runs, however many of both.

import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import * as api from "./api";

// As much as one question may hold: comparisons in a filter, columns, characters of their names.
const RUNS = 100;
const COLUMNS = 150;
const CHARACTERS = 6000;
const POLL = 5000;

export interface Compared {
  id: number;
  name: string;
  state: api.State;
  values: Record<string, unknown>;
}

/** The run that is pointed at, in whichever part of the page. */
export const pointed = signal<number | undefined>(undefined);

async function load(
  ids: number[],
  fields: string[],
  signal: AbortSignal,
): Promise<Map<number, Compared>> {
  const found = new Map<number, Compared>();
  for (let at = 0; at < ids.length; at += RUNS) {
    const filter = ids
      .slice(at, at + RUNS)
      .map((id) => `id = ${id}`)
      .join(" or ");
    for (const some of portions(fields)) {
      const page = await api.runs(
        { filter, columns: some.join(",") || undefined, limit: RUNS, offset: 0 },
        signal,
      );
      for (const run of page.runs) {
        const before = found.get(run.id)?.values ?? {};
        found.set(run.id, {
          id: run.id,
          name: run.name ?? run.run_id,
          state: run.state,
          values: { ...before, ...run.values },
        });
      }
    }
  }
  return found;
}

function portions(fields: string[]): string[][] {
  const all: string[][] = [[]];
  let length = 0;
  for (const field of fields) {
    const last = all[all.length - 1] as string[];
    if (last.length >= COLUMNS || length + field.length > CHARACTERS) {
      all.push([field]);
      length = 0;
    } else {
      last.push(field);
    }
    length += field.length + 1;
  }
  return all;
}

/** The runs in the order in which they are asked for, with what is known by now; running ones move. */
export function useCompared(
  ids: number[],
  fields: string[],
): { runs: Compared[] | undefined; error: string } {
  const [runs, setRuns] = useState<Compared[]>();
  const [error, setError] = useState("");
  useEffect(() => {
    if (fields.length === 0) return;
    const stop = new AbortController();
    let timer = 0;
    let said = "";
    const again = async () => {
      let running = true;
      try {
        if (!document.hidden) {
          const found = await load(ids, fields, stop.signal);
          const next = ids.flatMap((id) => found.get(id) ?? []);
          const now = JSON.stringify(next);
          if (now !== said) setRuns(next);
          said = now;
          running = next.some((one) => one.state === "running");
          setError("");
        }
      } catch (problem) {
        if (!stop.signal.aborted) setError(api.said(problem));
      }
      if (!stop.signal.aborted && running) timer = window.setTimeout(again, POLL);
    };
    void again();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [ids.join(), fields.join("\u0000")]);
  return { runs, error };
}

/** A value as a key: what is the same in Python is the same here. */
export const same = (value: unknown): string => JSON.stringify(value ?? null);

export const differs = (runs: Compared[], field: string): boolean =>
  new Set(runs.map((one) => same(one.values[field]))).size > 1;

export const numeric = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined;

/** Whether the numbers are best seen on a logarithmic axis: positive, and of several magnitudes. */
export function wide(values: number[]): boolean {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return values.length > 1 && low > 0 && high / low >= 100;
}

/** How a field is called on the page. */
export const title = (field: string): string =>
  field
    .replace(/^(config|metric)\./, "")
    .replace(
      /^"(.*)"(\.\w+)?$/,
      (_, name: string, figure = "") => name.replace(/\\(.)/g, "$1") + figure,
    );
