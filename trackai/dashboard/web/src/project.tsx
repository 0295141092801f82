// A project: its runs on the left, the charts of those that are chosen on the right.

import { useCallback, useState } from "preact/hooks";
import * as api from "./api";
import { Charts } from "./charts";
import { usePolled } from "./poll";
import { Table } from "./table";
import { columns, filter, go, selected } from "./view";

// As many as can be told apart.
const FIRST = 8;

export function ProjectPage({ id }: { id: number }) {
  const { data: project, error } = usePolled(() => api.project(id), 3000, [id]);
  const { data: known } = usePolled(() => api.columns(id), 5000, [id]);
  const [newest, setNewest] = useState<api.Run[]>([]);
  const onRuns = useCallback((runs: api.Run[]) => setNewest(runs), []);
  const chosen = selected.value ?? newest.slice(0, FIRST).map((run) => run.id);
  const names = new Map(newest.map((run) => [run.id, run.name ?? run.run_id]));
  if (error && !project) return <p class="empty">{error}</p>;
  return (
    <div class="project">
      <section class="side" aria-label="Runs">
        <h1>{project?.name ?? "…"}</h1>
        <form class="tools" onSubmit={(event) => event.preventDefault()}>
          <input type="search" aria-label="Filter runs" value={filter.value} spellcheck={false}
            placeholder="config.lr < 0.01 and metric.loss.min < 1"
            onChange={(event) => go({ filter: event.currentTarget.value }, { replace: true })} />
          <Chooser known={known} />
        </form>
        <Table projectId={id} chosen={chosen} onRuns={onRuns} onChoose={(ids) => go({ runs: ids.join(",") || "0" })} />
        {chosen.length > 0 && <Actions chosen={chosen} />}
      </section>
      <Charts runIds={chosen} names={names} paths={known?.metrics.filter((one) => one.kind !== "text").map((one) => one.path)} />
    </div>
  );
}

function Chooser({ known }: { known: api.Columns | undefined }) {
  const [search, setSearch] = useState("");
  const fields = known
    ? [...known.metrics, ...known.config].map((one) => one.field).filter((field) => field.includes(search))
    : [];
  const toggle = (field: string) => {
    const now = columns.value;
    const next = now.includes(field) ? now.filter((one) => one !== field) : [...now, field];
    go({ columns: next.join("\n") }, { replace: true });
  };
  return (
    <details class="chooser">
      <summary>Columns</summary>
      <div class="menu">
        <input type="search" aria-label="Search columns" value={search} onInput={(event) => setSearch(event.currentTarget.value)} />
        {fields.slice(0, 200).map((field) => (
          <label key={field}>
            <input type="checkbox" checked={columns.value.includes(field)} onChange={() => toggle(field)} />
            {field}
          </label>
        ))}
      </div>
    </details>
  );
}

function Actions({ chosen }: { chosen: number[] }) {
  const [problem, setProblem] = useState("");
  const act = (work: () => Promise<unknown>) => () => {
    setProblem("");
    work().catch((error: unknown) => setProblem(String(error)));
  };
  const tag = async () => {
    const name = prompt("Tag the chosen runs:")?.trim();
    if (!name) return;
    for (const id of chosen) {
      const run = await api.run(id);
      await api.setTags(id, [...new Set([...run.tags, name])]);
    }
  };
  const remove = async () => {
    if (confirm(`Delete ${chosen.length} run(s) with all their points?`)) {
      await api.deleteRuns(chosen);
      go({ runs: undefined });
    }
  };
  return (
    <p class="actions">
      <button type="button" onClick={act(tag)}>Tag</button>
      <button type="button" onClick={act(remove)}>Delete</button>
      <button type="button" onClick={() => go({ runs: "0" })}>Choose none</button>
      {problem && <span class="problem" role="alert">{problem}</span>}
    </p>
  );
}
