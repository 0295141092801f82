// A project: its runs on the left, the charts of those that are chosen on the right.

import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import { Actions } from "./actions";
import * as api from "./api";
import { Charts } from "./charts";
import { shareColors } from "./colors";
import { Columns } from "./columns";
import { useDismissed } from "./dismissed";
import { useLogged } from "./logged";
import { lookUp, missing, names } from "./names";
import { usePolled } from "./poll";
import { Splitter } from "./splitter";
import { Table } from "./table";
import { useTitle } from "./titled";
import { useTyped } from "./typed";
import { filter, follow, go, groupBy, hidden, selected } from "./view";

// As many as can be told apart.
const FIRST = 8;

export function ProjectPage({ id }: { id: number }) {
  const [changed, setChanged] = useState(0);
  const typed = useTyped(filter.value);
  const { data: project, error, gone } = usePolled(() => api.project(id), 3000, [id, changed]);
  useTitle(project?.name);
  const { data: known } = usePolled(() => api.columns(id), 5000, [id]);
  // Nothing yet: which are the newest is not known.
  const [newest, setNewest] = useState<number[]>();
  const onRuns = useCallback((runs: api.Run[]) => {
    const ids = runs.slice(0, FIRST).map((run) => run.id);
    setNewest((before) => (before?.join() === ids.join() ? before : ids));
  }, []);
  const ready = selected.value ?? newest;
  const chosen = ready ?? [];
  shareColors(chosen);
  useEffect(() => {
    void lookUp(chosen);
  }, [chosen.join()]);
  const paths = useLogged(chosen, known, project?.total_runs);
  const metrics = paths?.join("\u0000");
  const called = chosen.map((id) => names.value.get(id)).join("\u0000");
  // Many charts are not even looked at again while nothing of theirs has changed.
  const charts = useMemo(
    () => (
      <Charts
        runIds={chosen}
        names={names.peek()}
        paths={ready && paths}
        of={known?.metrics.length}
        fields={known?.config.map((one) => one.field)}
      />
    ),
    [chosen.join(), called, known, metrics, ready === undefined],
  );
  if (gone) {
    return (
      <p class="empty" role="alert">
        {project
          ? "This project has been deleted."
          : "There is no such project: it may have been deleted."}{" "}
        <a href="/" onClick={(event) => follow(event, {})}>
          ← Projects
        </a>
      </p>
    );
  }
  if (error && !project)
    return (
      <p class="empty" role="alert">
        {error}
      </p>
    );
  return (
    <div class="project">
      <section class="side" aria-label="Runs">
        <a class="skip" href="#charts" onClick={skip}>
          Skip to charts
        </a>
        <h1>{project?.name ?? "…"}</h1>
        <form class="tools" onSubmit={(event) => event.preventDefault()}>
          <input
            type="search"
            aria-label="Filter runs"
            aria-describedby="filter-problem"
            ref={typed}
            spellcheck={false}
            placeholder="a name, or config.lr < 0.01 and tag = good"
            onChange={(event) => go({ filter: event.currentTarget.value }, { replace: true })}
          />
          <Help />
        </form>
        <div class="tools">
          <GroupBy known={known} />
          <Columns known={known} />
        </div>
        <Missing chosen={chosen} />
        <Table
          projectId={id}
          chosen={chosen}
          onRuns={onRuns}
          changed={changed}
          onChoose={(ids) => go({ runs: ids.join(",") || "0", hide: hiddenOf(ids) })}
        />
        {chosen.length > 0 && (
          <Actions
            chosen={chosen}
            byHand={selected.value !== undefined}
            onChange={() => setChanged((before) => before + 1)}
          />
        )}
      </section>
      <Splitter name="runs-width" label="Width of the table" />
      {charts}
    </div>
  );
}

/** The table has hundreds of stops for the Tab key, and more come while one goes through them. */
function skip(event: MouseEvent): void {
  event.preventDefault();
  document.getElementById("charts")?.focus();
}

/** A link may choose runs that have been deleted since. */
function Missing({ chosen }: { chosen: number[] }) {
  const lost = chosen.filter((one) => missing.value.has(one));
  if (lost.length === 0) return null;
  return (
    <p class="problem" role="status">
      {lost.length} of the chosen runs {lost.length === 1 ? "is" : "are"} not there, and may have
      been deleted.{" "}
      <button
        type="button"
        onClick={() =>
          go(
            { runs: chosen.filter((one) => !lost.includes(one)).join(",") || undefined },
            { replace: true },
          )
        }
      >
        Leave {lost.length === 1 ? "it" : "them"} out
      </button>
    </p>
  );
}

/** What is hidden of these runs: one that is chosen again is there to be seen. */
const hiddenOf = (ids: number[]): string =>
  hidden.value
    .filter((key) => !key.startsWith("run ") || ids.includes(Number(key.slice(4))))
    .join("\n");

function GroupBy({ known }: { known: api.Columns | undefined }) {
  const fields = ["group", "state", "name"];
  const keys = known?.config.map((one) => one.field) ?? [];
  // A link may name what no run has any more.
  const more =
    groupBy.value && ![...fields, ...keys].includes(groupBy.value) ? [groupBy.value] : [];
  return (
    <label>
      Group by
      <select
        value={groupBy.value}
        onChange={(event) => go({ by: event.currentTarget.value, open: undefined })}
      >
        <option value="">nothing</option>
        {[...fields, ...more].map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
        {keys.length > 0 && (
          <optgroup label="configuration">
            {known?.config.map((one) => (
              <option key={one.field} value={one.field}>
                {one.key}
              </option>
            ))}
          </optgroup>
        )}
      </select>
    </label>
  );
}

function Help() {
  const [dismissed] = useDismissed();
  return (
    <details class="chooser" {...dismissed}>
      <summary>Help</summary>
      <div class="menu">
        <p>A part of a name, or a field, an operator and a value; Enter asks.</p>
        <pre>
          {
            'config.opt/lr < 0.01\nmetric.val/loss.min <= 0.5\nstate = running\ntag = baseline\nname ~ "old"'
          }
        </pre>
        <p>
          Fields are <code>config.KEY</code>, <code>metric.NAME</code> with{" "}
          <code>.min .max .mean .last</code>, and{" "}
          <code>name group state tag notes created duration</code>. Operators are{" "}
          <code>= != &lt; &lt;= &gt; &gt;= ~ !~</code>, joined by <code>and or not ( )</code>.
          Quotes hold what has spaces.
        </p>
      </div>
    </details>
  );
}
