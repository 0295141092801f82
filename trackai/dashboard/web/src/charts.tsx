// The charts of chosen runs, in sections by the first part of their names.

import { useRef, useState } from "preact/hooks";
import * as api from "./api";
import { Card, FullScreen, Undo } from "./card";
import { Means } from "./means";
import { usePolled } from "./poll";
import { useScrolled } from "./scrolled";
import {
  clipped,
  closed,
  fullPath,
  go,
  logScale,
  logX,
  meanOf,
  metricSearch,
  projectId,
  runId,
  smoothing,
  xAxis,
} from "./view";
import "./charts.css";

const MACHINE = /^(system|gpu|cpu|mem|memory|disk|net|network|process|host)s?$/i;
// Without a section, only what can hardly be said of a model.
const LOAD = /^(system|gpu|cpu|mem|memory|disk)s?([._\d]|$)/i;

const sectionOf = (path: string): string =>
  path.includes("/") ? path.slice(0, path.indexOf("/")) : LOAD.test(path) ? "System" : "";

interface Props {
  runIds: number[];
  names: Map<number, string>;
  paths: string[] | undefined;
  /** How many metrics there are besides, of other runs. */
  of?: number;
  /** Fields by which means can be shown. */
  fields?: string[];
}

export function Charts({ runIds, names, paths, of = 0, fields }: Props) {
  const { data: running } = usePolled(() => api.runningRuns(projectId.value), 2000, [
    projectId.value,
  ]);
  const live = running && runIds.filter((id) => running.includes(id));
  const [wanted, problem] = useMatching(paths ?? [], metricSearch.value);
  const sections = new Map<string, string[]>();
  for (const path of wanted) {
    const prefix = sectionOf(path);
    const members = sections.get(prefix);
    if (members) members.push(path);
    else sections.set(prefix, [path]);
  }
  // What the machine does comes after what the model does.
  const ordered = [...sections].sort(
    ([one], [other]) => Number(MACHINE.test(one)) - Number(MACHINE.test(other)),
  );
  const full = fullPath.value;
  const tools = <Tools fields={runIds.length > 1 ? fields : undefined} />;
  const box = useRef<HTMLElement>(null);
  useScrolled(box, `charts ${runId.value ?? ""}`, paths !== undefined && runIds.length > 0);
  return (
    <section class="charts" id="charts" tabIndex={-1} aria-label="Charts" ref={box}>
      <form class="tools" onSubmit={(event) => event.preventDefault()}>
        <Search found={wanted.length} of={paths?.length ?? 0} problem={problem} />
        {tools}
        {runIds.length > 1 && meanOf.value && <Means runIds={runIds} />}
        <p class="undo">
          <Undo runIds={runIds} />
        </p>
      </form>
      {paths && paths.length === 0 && of > 0 && runIds.length > 0 && (
        <p class="empty">The chosen runs have logged nothing that is drawn.</p>
      )}
      {paths && paths.length === 0 && of === 0 && (
        <p class="empty">
          No metrics yet: log some with run.log({"{"}"loss": 0.5{"}"}).
        </p>
      )}
      {paths && paths.length > 0 && wanted.length === 0 && <p class="empty">No metric matches.</p>}
      {paths && runIds.length === 0 && <p class="empty">Choose runs to see their charts.</p>}
      {runIds.length > 0 &&
        ordered.map(([prefix, members]) => (
          <Section key={prefix} prefix={prefix} count={members.length}>
            {members.map((path) => (
              <Card key={path} path={path} runIds={runIds} names={names} running={live} />
            ))}
          </Section>
        ))}
      {full !== undefined && runIds.length > 0 && paths?.includes(full) && (
        <FullScreen
          key={full}
          path={full}
          runIds={runIds}
          names={names}
          running={live}
          tools={tools}
        />
      )}
    </section>
  );
}

function Section({
  prefix,
  count,
  children,
}: {
  prefix: string;
  count: number;
  children: preact.ComponentChildren;
}) {
  const key = prefix || ".";
  const open = !closed.value.includes(key);
  const toggle = (now: boolean) => {
    if (now === open) return;
    const next = now ? closed.value.filter((one) => one !== key) : [...closed.value, key];
    go({ closed: next.join("\n") }, { replace: true });
  };
  return (
    <details class="section" open={open} onToggle={(event) => toggle(event.currentTarget.open)}>
      <summary>
        {prefix || "metrics"} <small>{count}</small>
      </summary>
      {open && <div class="grid">{children}</div>}
    </details>
  );
}

/** The names that match a regular expression, and what is wrong with it: then those that hold the text, or that matched before. */
function useMatching(paths: string[], search: string): [string[], string] {
  const last = useRef(/(?:)/);
  try {
    last.current = new RegExp(search, "i");
  } catch {
    const holding = paths.filter((path) => path.includes(search));
    if (holding.length > 0) return [holding, "No regular expression: searched as it stands."];
    return [paths.filter((path) => last.current.test(path)), "No regular expression yet."];
  }
  return [paths.filter((path) => last.current.test(path)), ""];
}

function Search({ found, of, problem }: { found: number; of: number; problem: string }) {
  return (
    <span class="find">
      <input
        type="search"
        aria-label="Search metrics"
        placeholder="Search metrics"
        value={metricSearch.value}
        spellcheck={false}
        aria-invalid={problem ? "true" : undefined}
        title="A part of a name, or a regular expression"
        onInput={(event) => go({ metrics: event.currentTarget.value }, { replace: true })}
      />
      {metricSearch.value && (
        <output>
          {found} of {of}
        </output>
      )}
      {problem && <output class="problem">{problem}</output>}
    </span>
  );
}

/** How charts are drawn; means of the runs with the same of one of the `fields`, if there are some. */
function Tools({ fields }: { fields: string[] | undefined }) {
  return (
    <>
      <label>
        x
        <select
          value={xAxis.value}
          onChange={(event) =>
            go({ x: event.currentTarget.value, range: undefined }, { replace: true })
          }
        >
          <option value="step">step</option>
          <option value="relative">relative</option>
          <option value="time">time</option>
        </select>
      </label>
      <Smoothing />
      {fields && <MeanOf fields={fields} />}
      <Switch name="log x" on={logX.value} change={(on) => ({ xscale: on ? "log" : undefined })} />
      <Switch
        name="log y"
        on={logScale.value}
        change={(on) => ({ scale: on ? "log" : undefined })}
      />
      <Switch
        name="clip outliers"
        on={clipped.value}
        change={(on) => ({ clip: on ? 1 : undefined })}
      />
    </>
  );
}

function Smoothing() {
  // The curve follows when the hand rests, the figure at once.
  const [held, setHeld] = useState<number>();
  const amount = held ?? smoothing.value;
  return (
    <label>
      Smoothing
      <input
        type="range"
        min="0"
        max="0.99"
        step="0.01"
        value={amount}
        onInput={(event) => {
          const next = Number(event.currentTarget.value);
          setHeld(next);
          go({ smooth: next || undefined }, { replace: true });
        }}
        onChange={() => setHeld(undefined)}
      />
      <output>{amount.toFixed(2)}</output>
    </label>
  );
}

function Switch({
  name,
  on,
  change,
}: {
  name: string;
  on: boolean;
  change: (on: boolean) => Record<string, string | number | undefined>;
}) {
  return (
    <label>
      <input
        type="checkbox"
        checked={on}
        onChange={(event) => go(change(event.currentTarget.checked), { replace: true })}
      />
      {name}
    </label>
  );
}

function MeanOf({ fields }: { fields: string[] }) {
  const now = meanOf.value;
  const all = ["group", ...fields];
  return (
    <label>
      Lines
      <select
        value={now || "none"}
        onChange={(event) => go({ mean: event.currentTarget.value }, { replace: true })}
      >
        <option value="none">each run</option>
        <option value="all">mean of all</option>
        <optgroup label="mean of those with the same">
          {(now && now !== "all" && !all.includes(now) ? [now, ...all] : all).map((field) => (
            <option key={field} value={field}>
              {field.replace(/^config\./, "")}
            </option>
          ))}
        </optgroup>
      </select>
    </label>
  );
}
