// Runs side by side: how configuration and results belong together, and where they differ.

import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import * as api from "./api";
import { shareColors } from "./colors";
import { type Compared, differs, numeric, title, useCompared } from "./comparison";
import { Differences } from "./differences";
import { value } from "./format";
import { type Brush, inside, Parallel } from "./parallel";
import { usePolled } from "./poll";
import { Scatter } from "./scatter";
import { useTitle } from "./titled";
import { address, follow, go, selected, text, within } from "./view";
import "./compare.css";

// More axes than these are not read any more; whoever wants others chooses them.
const AXES = 7;
const FIGURES = ["last", "min", "max", "mean"];
const MOST = 1000;

const figure = text("figure", "last");
const target = text("target");
const axes = text("axes");
const brushes = text("brush");

export function ComparePage({ id }: { id: number }) {
  const { data: project } = usePolled(() => api.project(id), 0, [id]);
  useTitle("Compare", project?.name);
  const { data: known, error } = usePolled(() => api.columns(id), 30_000, [id]);
  const ids = selected.value ?? [];
  shareColors(ids);
  const config = useMemo(
    () => (known?.config ?? []).map((one) => one.field).slice(0, MOST),
    [known],
  );
  const metrics = useMemo(
    () =>
      (known?.metrics ?? [])
        .filter((one) => one.kind === "number" || one.kind === "bool")
        .slice(0, MOST),
    [known],
  );
  const shown = FIGURES.includes(figure.value) ? figure.value : "last";
  const rows = metrics.map((one) => `${one.field}.${shown}`);
  const best = target.value || firstTarget(metrics.map((one) => one.field));
  const [x, y] = [text_x.value, text_y.value];
  const fields = known
    ? [
        ...new Set(
          ["duration", ...config, ...rows, best, x, y, ...lines(axes.value)].filter(Boolean),
        ),
      ]
    : [];
  const { runs, error: problem } = useCompared(ids, fields);

  if (ids.length < 2) {
    return (
      <div class="empty">
        <p>
          Choose two runs or more in <Back id={id}>the table of the project</Back>, then Compare.
        </p>
      </div>
    );
  }
  if (error && !known) return <p class="empty">{error}</p>;
  if (!runs)
    return (
      <p class="empty" role={problem ? "alert" : undefined}>
        {problem || "Loading …"}
      </p>
    );

  const chosen = axes.value
    ? lines(axes.value)
    : firstAxes(config.filter((field) => telling(runs, field)));
  const brushed = lines(brushes.value).flatMap((one): Brush[] => {
    const [field, low, high] = one.split("|");
    return field && low && high ? [{ field, low: Number(low), high: Number(high) }] : [];
  });
  const kept = runs.filter((run) => brushed.every((one) => inside(runs, run, one)));
  const options = [
    ...config,
    "duration",
    ...metrics.flatMap((one) => FIGURES.map((name) => `${one.field}.${name}`)),
  ];
  return (
    <div class="compare">
      <header>
        <p class="crumb">
          <Back id={id}>← {project?.name ?? "project"}</Back>
        </p>
        <h1>Compare {runs.length} runs</h1>
        {brushed.length > 0 && (
          <p class="kept">
            <output>
              {kept.length} of {runs.length} runs in the ranges
            </output>
            <button
              type="button"
              disabled={kept.length === 0}
              onClick={() => go({ runs: kept.map((one) => one.id).join(","), brush: undefined })}
            >
              Keep only these
            </button>
            <button type="button" onClick={() => go({ brush: undefined }, { replace: true })}>
              Show all
            </button>
          </p>
        )}
      </header>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {runs.length < ids.length && (
        <p class="problem" role="status">
          {ids.length - runs.length} of the chosen runs{" "}
          {ids.length - runs.length === 1 ? "is" : "are"} not there, and may have been deleted.
        </p>
      )}
      <div class="pair">
        <Parallel
          runs={runs}
          kept={kept}
          axes={chosen.filter((one) => one !== best)}
          target={best}
          brushes={brushed}
          config={config}
          options={options}
          onAxes={(next) => go({ axes: next.join("\n") }, { replace: true })}
          onTarget={(field) => go({ target: field }, { replace: true })}
          onBrush={(next) =>
            go(
              {
                brush: next
                  .map((one) => `${one.field}|${short(one.low)}|${short(one.high)}`)
                  .join("\n"),
              },
              { replace: true },
            )
          }
        />
        <Scatter
          projectId={id}
          runs={runs}
          kept={kept}
          options={options}
          x={x || firstAcross(runs, config)}
          y={y || best}
        />
      </div>
      <Differences
        projectId={id}
        runs={runs}
        config={config}
        metrics={rows}
        figure={shown}
        figures={FIGURES}
      />
    </div>
  );
}

const text_x = text("sx");
const text_y = text("sy");

const short = (value: number): number => Number(value.toPrecision(6));
const lines = (value: string): string[] => value.split("\n").filter(Boolean);

function Back({ id, children }: { id: number; children: preact.ComponentChildren }) {
  const there = within({ project: id });
  return (
    <a href={address(there, false)} onClick={(event) => follow(event, there)}>
      {children}
    </a>
  );
}

/** What people most want small or great: a loss of validation, a loss, anything. */
function firstTarget(fields: string[]): string {
  for (const pattern of [/val.*loss/i, /(eval|test).*loss/i, /loss/i, /acc|score|reward/i]) {
    const found = fields.find((one) => pattern.test(one));
    if (found) return `${found}.${pattern.source.startsWith("acc") ? "max" : "min"}`;
  }
  return fields[0] ? `${fields[0]}.last` : "duration";
}

/** The learning rate, as a rule; else the key with the most numbers. */
function firstAcross(runs: Compared[], config: string[]): string {
  const numbers = (field: string) =>
    new Set(runs.flatMap((run) => numeric(run.values[field]) ?? [])).size;
  const telling = config.filter((field) => numbers(field) > 1);
  const rate = telling.find((field) => /(^|[./_])(lr|learning_?rate)$/i.test(field));
  const others = telling
    .filter((field) => !/seed$/i.test(field))
    .sort((one, other) => numbers(other) - numbers(one));
  return rate ?? others[0] ?? telling[0] ?? "duration";
}

/** Seeds are made to make no difference: they come last. */
function firstAxes(fields: string[]): string[] {
  const seeds = fields.filter((field) => /seed$/i.test(field));
  return [...fields.filter((field) => !seeds.includes(field)), ...seeds].slice(0, AXES);
}

/** Whether an axis would tell runs apart: its values differ, and are numbers or a few words. */
function telling(runs: Compared[], field: string): boolean {
  if (!differs(runs, field)) return false;
  const values = runs
    .map((one) => one.values[field])
    .filter((one) => one !== null && one !== undefined);
  if (values.every((one) => typeof one === "number")) return true;
  return new Set(values.map((one) => JSON.stringify(one))).size <= 12;
}

/** The width of an element, as it changes. */
export function useWidth(): [preact.RefObject<HTMLDivElement>, number] {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(600);
  // Before the first frame: whoever aims at something must not see it jump.
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const measure = () => setWidth(Math.max(200, element.clientWidth));
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  return [box, width];
}

/** One run in words: its name and some of its values. */
export function Words({ run, fields }: { run: Compared | undefined; fields: string[] }) {
  return (
    <p class="words" aria-live="polite">
      {run ? (
        <>
          <b>{run.name}</b>{" "}
          {fields.map((field) => (
            <span key={field}>
              {title(field)} <b>{value(run.values[field])}</b>
            </span>
          ))}
        </>
      ) : (
        <span class="faint">Point at a run to read it.</span>
      )}
    </p>
  );
}
