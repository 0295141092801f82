// The table of a project's runs: only the rows on screen exist, and only their pages are fetched.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import * as api from "./api";
import { color } from "./colors";
import { ago, value } from "./format";
import { address, columns, filter, follow, go, order, sort } from "./view";

const ROW = 30;
const PAGE = 100;
const POLL = 3000;

interface Props {
  projectId: number;
  chosen: number[];
  onRuns: (first: api.Run[], total: number) => void;
  onChoose: (ids: number[]) => void;
}

export function Table({ projectId, chosen, onRuns, onChoose }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [pages, setPages] = useState(new Map<number, api.Run[]>());
  const [total, setTotal] = useState<number>();
  const [error, setError] = useState("");
  const shown = useRef("");
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const asked = [projectId, filter.value, sort.value, order.value, columns.value.join("\n")].join("\u0000");

  const first = Math.max(0, Math.floor(top / ROW) - 5);
  const last = Math.min((total ?? 1) - 1, Math.ceil((top + height) / ROW) + 5);
  const firstPage = Math.floor(first / PAGE);
  const lastPage = Math.floor(Math.max(last, 0) / PAGE);

  useEffect(() => {
    setPages(new Map());
    setTotal(undefined);
    if (box.current) box.current.scrollTop = 0;
  }, [asked]);

  useEffect(() => {
    const stop = new AbortController();
    let timer = 0;
    const load = async () => {
      try {
        for (let page = firstPage; page <= lastPage; page++) {
          const found = await api.runs(
            {
              project_id: projectId,
              filter: filter.value,
              sort_by: sort.value,
              sort_order: order.value,
              columns: columns.value.join(","),
              limit: PAGE,
              offset: page * PAGE,
            },
            stop.signal,
          );
          shown.current = asked;
          setPages((before) => new Map(before).set(page, found.runs));
          setTotal(found.total);
          if (page === 0) onRuns(found.runs, found.total);
        }
        setError("");
      } catch (problem) {
        if (!stop.signal.aborted) setError(problem instanceof Error ? problem.message : String(problem));
      }
      if (!stop.signal.aborted) timer = window.setTimeout(load, POLL);
    };
    // Scrolling past a page need not fetch it; what is there is asked for again in a while.
    const there = shown.current === asked && pages.has(firstPage) && pages.has(lastPage);
    timer = window.setTimeout(load, there ? POLL : 30);
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [asked, firstPage, lastPage]);

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const watch = new ResizeObserver(() => setHeight(element.clientHeight));
    watch.observe(element);
    return () => watch.disconnect();
  }, []);

  const rows = [];
  for (let at = first; at <= last && at < (total ?? 0); at++) {
    const run = pages.get(Math.floor(at / PAGE))?.[at % PAGE];
    rows.push(<Row key={at} at={at} run={run} chosen={chosen} onChoose={onChoose} />);
  }
  return (
    <div class="table">
      {error && (
        <p class="problem" role="alert">
          {error}
        </p>
      )}
      <div class="rows" ref={box} onScroll={(event) => setTop(event.currentTarget.scrollTop)} tabIndex={0}
        role="table" aria-label="Runs" aria-rowcount={total ?? -1}>
        <div class="head" role="row">
          <span class="pick" role="columnheader" aria-label="Chosen" />
          <Head name="Run" field="run_id" wide />
          <Head name="State" field="state" />
          <Head name="Created" field="created_at" />
          {columns.value.map((field) => (
            <Head key={field} name={field.replace(/^(config|metric)\./, "")} field={field} />
          ))}
        </div>
        <div class="all" style={{ height: `${(total ?? 0) * ROW}px` }} role="rowgroup">
          {rows}
        </div>
        {total === 0 && <p class="empty">No runs match.</p>}
      </div>
      <p class="count">{total === undefined ? "Loading …" : `${total} runs, ${chosen.length} in the charts`}</p>
    </div>
  );
}

function Head({ name, field, wide }: { name: string; field: string; wide?: boolean }) {
  const mine = sort.value === field;
  const next = mine && order.value === "desc" ? "asc" : "desc";
  return (
    <span class={wide ? "cell wide" : "cell"} role="columnheader"
      aria-sort={mine ? (order.value === "desc" ? "descending" : "ascending") : "none"}>
      <button type="button" title={`Sort by ${field}`} onClick={() => go({ sort: field, order: next })}>
        {name}
        {mine && (order.value === "desc" ? " ↓" : " ↑")}
      </button>
    </span>
  );
}

interface RowProps {
  at: number;
  run: api.Run | undefined;
  chosen: number[];
  onChoose: (ids: number[]) => void;
}

function Row({ at, run, chosen, onChoose }: RowProps) {
  const place = { transform: `translateY(${at * ROW}px)` };
  if (!run) return <div class="row waiting" style={place} role="row" />;
  const on = chosen.includes(run.id);
  const name = run.name ?? run.run_id;
  return (
    <div class={on ? "row on" : "row"} style={place} role="row" aria-rowindex={at + 2}>
      <span class="pick" role="cell">
        <input type="checkbox" checked={on} aria-label={`Show ${name} in the charts`}
          style={{ accentColor: color(run.id) }}
          onChange={() => onChoose(on ? chosen.filter((id) => id !== run.id) : [...chosen, run.id])} />
      </span>
      <span class="cell wide" role="cell">
        <i class="dot" style={{ background: on ? color(run.id) : "transparent" }} />
        <a href={address({ run: run.id, project: run.project_id }, false)} title={run.run_id}
          onClick={(event) => follow(event, { run: run.id, project: run.project_id })}>
          {name}
        </a>
        {run.tags.map((tag) => (
          <em class="tag" key={tag}>
            {tag}
          </em>
        ))}
      </span>
      <span class={`cell state ${run.state}`} role="cell">
        {run.state}
      </span>
      <span class="cell" role="cell" title={run.created_at}>
        {ago(run.created_at)}
      </span>
      {columns.value.map((field) => (
        <span class="cell number" role="cell" key={field} title={String(run.values?.[field] ?? "")}>
          {value(run.values?.[field])}
        </span>
      ))}
    </div>
  );
}
