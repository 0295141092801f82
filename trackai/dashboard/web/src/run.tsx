// A run: how it ended, its configuration, the figures of its metrics, and its charts.

import { useState } from "preact/hooks";
import * as api from "./api";
import { Charts } from "./charts";
import { ago, value } from "./format";
import { usePolled } from "./poll";
import { address, follow } from "./view";

export function RunPage({ id }: { id: number }) {
  const { data: run, error } = usePolled(() => api.run(id), 2000, [id]);
  const { data: config } = usePolled(() => api.config(id), 5000, [id]);
  const { data: figures } = usePolled(() => api.figures(id), 3000, [id]);
  const { data: paths } = usePolled(() => api.metricNames(id), 3000, [id]);
  if (error && !run) return <p class="empty">{error}</p>;
  if (!run) return <p class="empty">Loading …</p>;
  const texts = new Set(figures?.filter((one) => one.kind === "text" || one.kind === "histogram").map((one) => one.path));
  const name = run.name ?? run.run_id;
  return (
    <div class="project">
      <section class="side" aria-label="Run">
        <p class="crumb">
          <a href={address({ project: run.project_id }, false)} onClick={(event) => follow(event, { project: run.project_id })}>
            ← All runs of the project
          </a>
        </p>
        <h1>{name}</h1>
        <p>
          <span class={`state ${run.state}`}>{run.state}</span> <span title={run.created_at}>begun {ago(run.created_at)}</span>
          {run.finished_at && <span title={run.finished_at}>, ended {ago(run.finished_at)}</span>}
          {run.tags.map((tag) => <em class="tag" key={tag}>{tag}</em>)}
        </p>
        {run.notes && <p class="notes">{run.notes}</p>}
        <Facts title="Metrics" head={["metric", "last", "min", "max"]}
          rows={(figures ?? []).map((one) => [one.path, one.last, one.min, one.max])} />
        <Facts title="Configuration" head={["key", "value"]} rows={Object.entries(config ?? {})} />
      </section>
      <Charts runIds={[id]} names={new Map([[id, name]])} paths={paths?.filter((path) => !texts.has(path))} />
    </div>
  );
}

function Facts({ title, head, rows }: { title: string; head: string[]; rows: unknown[][] }) {
  const [search, setSearch] = useState("");
  const shown = rows.filter(([key]) => String(key).toLowerCase().includes(search.toLowerCase()));
  return (
    <section class="facts">
      <h2>{title}</h2>
      {rows.length > 10 && (
        <input type="search" aria-label={`Search ${title}`} placeholder="Search" value={search}
          onInput={(event) => setSearch(event.currentTarget.value)} />
      )}
      {rows.length === 0 && <p class="empty">None.</p>}
      <table>
        <thead>
          <tr>{head.map((name) => <th key={name} scope="col">{name}</th>)}</tr>
        </thead>
        <tbody>
          {shown.map(([key, ...values]) => (
            <tr key={String(key)}>
              <th scope="row">{String(key)}</th>
              {values.map((one, at) => <td key={at} title={String(one ?? "")}>{value(one)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
