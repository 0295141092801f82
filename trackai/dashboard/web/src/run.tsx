// A run: how it ended, where it comes from, its configuration and what it has logged.

import { useState } from "preact/hooks";
import * as api from "./api";
import { Charts } from "./charts";
import { Copy } from "./copy";
import * as more from "./details";
import { Files } from "./files";
import { ago, duration, natural, number, value } from "./format";
import { Histograms } from "./histograms";
import { Logs } from "./logs";
import { usePolled } from "./poll";
import { Rename } from "./rename";
import { Splitter } from "./splitter";
import { type Tab, Tabs } from "./tabs";
import { useTitle } from "./titled";
import { address, follow, go, projectId, text, within } from "./view";
import "./run.css";

const tab = text("tab");

export function RunPage({ id }: { id: number }) {
  const { data: run, error, gone, again } = usePolled(() => api.run(id), 2000, [id]);
  const { data: project } = usePolled(
    async () => (run ? api.project(run.project_id) : undefined),
    0,
    [run?.project_id],
  );
  useTitle(run && (run.name ?? run.run_id), project?.name);
  const running = run?.state === "running";
  // What has ended changes only when somebody changes it.
  const slowly = run && !running ? 30_000 : 3000;
  const { data: config } = usePolled(() => api.config(id), slowly, [id, running]);
  const { data: figures } = usePolled(() => api.figures(id), slowly, [id, running]);
  const { data: paths } = usePolled(() => api.metricNames(id), slowly, [id, running]);
  const { data: details } = usePolled(() => more.details(id), slowly, [id, running]);
  const { data: files } = usePolled(() => more.filePaths(id, ""), slowly, [id, running]);
  const kinds = new Map(figures?.map((one) => [one.path, one]));
  // What a fork inherits has no figures of its own; the project knows what it is.
  const inherited = figures && paths ? paths.filter((path) => !kinds.has(path)) : [];
  const { data: known } = usePolled(
    async () => (inherited.length > 0 && run ? api.columns(run.project_id) : undefined),
    0,
    [id, inherited.length > 0],
  );
  if (gone) {
    return (
      <p class="empty" role="alert">
        {run ? "This run has been deleted." : "There is no such run: it may have been deleted."}{" "}
        <Back project={run?.project_id ?? projectId.value} />
      </p>
    );
  }
  if (error && !run)
    return (
      <p class="empty" role="alert">
        {error}
      </p>
    );
  if (!run) return <p class="empty">Loading …</p>;

  const name = run.name ?? run.run_id;
  const inheritedOf = (...some: string[]) =>
    known
      ? inherited.filter((path) =>
          known.metrics.some((one) => one.path === path && some.includes(one.kind)),
        )
      : [];
  const of = (kind: string) => [
    ...(figures ?? []).filter((one) => one.kind === kind).map((one) => one.path),
    ...inheritedOf(kind),
  ];
  const system = (figures ?? [])
    .filter((one) => one.axis === "time" && isNumber(one))
    .map((one) => one.path);
  const charts = [
    ...(figures ?? []).filter((one) => one.axis === "step" && isNumber(one)).map((one) => one.path),
    ...inheritedOf("number", "bool"),
  ].sort(natural);
  const tabs: Tab[] = [
    { id: "charts", name: "Charts", count: charts.length },
    { id: "system", name: "System", count: system.length },
    { id: "logs", name: "Logs", count: of("text").length },
    { id: "histograms", name: "Histograms", count: of("histogram").length },
    { id: "files", name: "Files", count: files?.length },
  ];
  // Where there is nothing else, a run is what its machine did.
  const first = figures && paths && charts.length === 0 && system.length > 0 ? "system" : "charts";
  const at = tabs.some((one) => one.id === tab.value) ? tab.value : first;
  const names = new Map([[id, name]]);
  return (
    <div class="project run">
      <section class="side" aria-label="Run">
        <p class="crumb">
          <Back project={run.project_id} />
        </p>
        <h1 class="title">
          <Rename name={name} onRename={(next) => api.rename(id, next).then(again)}>
            <span title={run.run_id}>{name}</span>
          </Rename>
        </h1>
        <About run={run} details={details} />
        <Metrics
          figures={(figures ?? [])
            .filter(isNumber)
            .sort((one, other) => one.axis.localeCompare(other.axis))}
          none={figures?.length === 0}
        />
        <Config config={config} />
      </section>
      <Splitter name="run-width" label="Width of the summary" />
      <Tabs tabs={tabs} at={at} onGo={(id) => go({ tab: id === first ? undefined : id })}>
        {at === "charts" && (
          <Charts key="charts" runIds={[id]} names={names} paths={paths && figures && charts} />
        )}
        {at === "system" &&
          (system.length > 0 ? (
            <Charts key="system" runIds={[id]} names={names} paths={system} />
          ) : (
            <p class="empty">
              No system metrics. Log some with run.log_system({"{"}"gpu": 0.9{"}"}).
            </p>
          ))}
        {at === "logs" && <Logs runId={id} paths={of("text")} running={running} />}
        {at === "histograms" && <Histograms runId={id} paths={of("histogram")} running={running} />}
        {at === "files" && <Files runId={id} running={running} />}
      </Tabs>
    </div>
  );
}

function Back({ project }: { project: number | undefined }) {
  const there = project === undefined ? {} : within({ project });
  return (
    <a href={address(there, false)} onClick={(event) => follow(event, there)}>
      ← {project === undefined ? "Projects" : "All runs of the project"}
    </a>
  );
}

const isNumber = (one: api.Figures): boolean => one.kind === "number" || one.kind === "bool";

const ENDED = { running: "is running", completed: "completed", failed: "failed" } as const;

function About({ run, details }: { run: api.Run; details: more.Details | undefined }) {
  const until =
    run.finished_at ?? (run.state === "running" ? new Date().toISOString() : run.updated_at);
  const latest = details?.processes.find((one) => one.rank === 0) ?? details?.processes[0];
  const failed =
    details?.processes.filter((one) => one.state === "failed" && one.attempt === latest?.attempt) ??
    [];
  return (
    <dl class="about-run">
      <dt>State</dt>
      <dd>
        <span class={`state ${run.state}`}>{run.state}</span>
        <span class="faint">
          {" "}
          {run.state !== "running" && run.finished_at && (
            <time title={run.finished_at}>{ago(run.finished_at)}</time>
          )}
        </span>
      </dd>
      <dt>Begun</dt>
      <dd>
        <time title={run.created_at}>{ago(run.created_at)}</time>
      </dd>
      <dt>Took</dt>
      <dd>
        {duration((Date.parse(until) - Date.parse(run.created_at)) / 1000)}
        {run.state === "running" && " so far"}
      </dd>
      {latest?.host && (
        <>
          <dt>On</dt>
          <dd title={`process ${latest.pid}`}>
            {latest.host}
            {latest.attempt > 1 && <span class="faint">, attempt {latest.attempt}</span>}
            {details && details.processes.length > 1 && <Processes all={details.processes} />}
          </dd>
        </>
      )}
      {run.state === "failed" && failed.length > 0 && details && details.processes.length > 1 && (
        <>
          <dt>Failed</dt>
          <dd>{failed.map((one) => `rank ${one.rank} on ${one.host}`).join(", ")}</dd>
        </>
      )}
      {details?.forked_from && (
        <>
          <dt>Forked from</dt>
          <dd>
            <ForkLink fork={details.forked_from} />
          </dd>
        </>
      )}
      {details && details.forks.length > 0 && (
        <>
          <dt>Forks</dt>
          <dd>
            {details.forks.map((fork) => (
              <div key={fork.uid}>
                <ForkLink fork={fork} />
              </div>
            ))}
          </dd>
        </>
      )}
      {run.group_name && (
        <>
          <dt>Group</dt>
          <dd>{run.group_name}</dd>
        </>
      )}
      {run.tags.length > 0 && (
        <>
          <dt>Tags</dt>
          <dd>
            {run.tags.map((one) => (
              <em class="tag" key={one}>
                {one}
              </em>
            ))}
          </dd>
        </>
      )}
      {run.notes && (
        <>
          <dt>Notes</dt>
          <dd class="notes">{run.notes}</dd>
        </>
      )}
    </dl>
  );
}

function ForkLink({ fork: { run, step, uid } }: { fork: more.Fork }) {
  const after = step === null ? "" : ` at step ${step}`;
  if (!run) return <span title={uid}>a run that is not here{after}</span>;
  const there = within({ run: run.id, project: run.project_id });
  return (
    <>
      <a href={address(there, false)} onClick={(event) => follow(event, there)}>
        {run.name ?? run.run_id}
      </a>
      <span class="faint">
        {run.name && run.name !== run.run_id && ` (${run.run_id})`}
        {after}
      </span>
    </>
  );
}

function Processes({ all }: { all: more.Process[] }) {
  return (
    <details>
      <summary>{all.length} processes</summary>
      <ul>
        {all.map((one) => (
          <li key={`${one.attempt} ${one.rank} ${one.pid}`}>
            attempt {one.attempt}, rank {one.rank}: {one.host}, process {one.pid}
            {one.state && <span class={`state ${one.state}`}> {ENDED[one.state]}</span>}
          </li>
        ))}
      </ul>
    </details>
  );
}

/** Rows that hold a text, when there are so many that one would look for it. */
function useSearch(rows: number, title: string): [string, preact.ComponentChild] {
  const [search, setSearch] = useState("");
  const box = rows > 8 && (
    <input
      type="search"
      aria-label={`Search ${title}`}
      placeholder="Search"
      value={search}
      onInput={(event) => setSearch(event.currentTarget.value)}
    />
  );
  return [search.toLowerCase(), box];
}

function Metrics({ figures, none }: { figures: api.Figures[]; none: boolean }) {
  const [search, box] = useSearch(figures.length, "metrics");
  const shown = figures.filter((one) => one.path.toLowerCase().includes(search));
  if (figures.length === 0 && !none) return null;
  return (
    <section class="facts" aria-label="Summary">
      <header>
        <h2>Summary</h2>
        {box}
      </header>
      {none && (
        <p class="empty">
          Nothing yet: log some with run.log({"{"}"loss": 0.5{"}"}).
        </p>
      )}
      {figures.length > 0 && (
        <table>
          <thead>
            <tr>
              <th scope="col">metric</th>
              <th scope="col">last</th>
              <th scope="col">min</th>
              <th scope="col">max</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((one) => (
              <tr key={`${one.axis} ${one.path}`}>
                <th scope="row">{one.path}</th>
                <Best of={one.last} step={null} />
                <Best of={one.min} step={one.min_step} time={one.axis === "time"} />
                <Best of={one.max} step={one.max_step} time={one.axis === "time"} />
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Best({ of, step, time }: { of: unknown; step: number | null; time?: boolean }) {
  const at = step === null || time ? "" : ` at step ${step}`;
  return (
    <td title={of === null ? undefined : `${of}${at}`}>
      {value(of)}
      {at && of !== null && <small aria-label={at}>@{number(step as number)}</small>}
    </td>
  );
}

function Config({ config }: { config: Record<string, unknown> | undefined }) {
  const rows = Object.entries(config ?? {}).sort(([one], [other]) => natural(one, other));
  const [search, box] = useSearch(rows.length, "configuration");
  const shown = rows.filter(([key, one]) =>
    `${key} ${JSON.stringify(one)}`.toLowerCase().includes(search),
  );
  return (
    <section class="facts" aria-label="Configuration">
      <header>
        <h2>Configuration</h2>
        {box}
        {rows.length > 0 && (
          <Copy
            text={() => JSON.stringify(nested(rows), null, 2)}
            label="Copy the configuration as JSON"
          >
            Copy JSON
          </Copy>
        )}
      </header>
      {config && rows.length === 0 && (
        <p class="empty">
          None: give it to trackai.init(config={"{"}"lr": 0.01{"}"}).
        </p>
      )}
      {rows.length > 0 && shown.length === 0 && <p class="empty">Nothing holds that.</p>}
      <table class="config">
        <tbody>
          {shown.map(([key, one]) => (
            <tr key={key}>
              <th scope="row">{key}</th>
              <td title={plain(one)}>
                <span>{plain(one)}</span>
                <Copy text={() => plain(one)} label={`Copy ${key}`} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const plain = (one: unknown): string => (typeof one === "string" ? one : JSON.stringify(one));

/** What was flat as it was given: `opt/lr` is `lr` of `opt`, where nothing is called just `opt`. */
function nested(rows: [string, unknown][]): Record<string, unknown> {
  const found: Record<string, unknown> = Object.create(null);
  const flat = new Set(rows.map(([key]) => key));
  for (const [key, one] of rows) {
    const parts = key.split("/");
    if (parts.some((_, at) => at > 0 && flat.has(parts.slice(0, at).join("/")))) {
      found[key] = one;
      continue;
    }
    let place = found;
    for (const part of parts.slice(0, -1))
      place = (place[part] ??= Object.create(null)) as Record<string, unknown>;
    place[parts.at(-1) as string] = one;
  }
  return found;
}
