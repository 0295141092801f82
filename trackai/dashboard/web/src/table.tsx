// The table of a project's runs: only the rows on screen exist, and only their pages are fetched.

import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "./api";
import { color } from "./colors";
import { ago, value } from "./format";
import { learn } from "./names";
import { Rename } from "./rename";
import { useRows } from "./rows";
import { address, columns, filter, filterAsked, follow, go, groupBy, openGroups, order, sort, within } from "./view";
import "./table.css";

const ROW = 32;
const PAGE = 100;
const POLL = 3000;
const GROUPS = 1000;
// What the first rows are read for, whatever the table shows of them.
const NEWEST = 20;
// As many as are chosen at once: more lines are not looked at, and the address holds each.
const ALL = 200;

interface Props {
  projectId: number;
  chosen: number[];
  onRuns: (first: api.Run[], total: number) => void;
  onChoose: (ids: number[]) => void;
  /** Counts up when something was changed: what is shown is asked for at once. */
  changed: number;
}

/** What the server could not read of an address, by its parameters: it is left out, and the rest is shown. */
interface Refusal {
  asked: string;
  names: string[];
  said: string;
}

/** Rows that belong together: all of them, or those of a group, which has a row of its own. */
interface Section {
  filter: string;
  group?: api.RunGroup;
  runs: number;
  /** Where its first row is, and whether its runs are shown. */
  at: number;
  open: boolean;
}

export function Table({ projectId, chosen, onRuns, onChoose, changed }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [pages, setPages] = useState(new Map<string, api.Run[]>());
  const [total, setTotal] = useState<number>();
  const [groups, setGroups] = useState<api.RunGroup[]>();
  const [error, setError] = useState("");
  const [refusal, setRefusal] = useState<Refusal>();
  // What the pages that are there were asked for, and after which change.
  const shown = useRef("");
  const anchor = useRef<number>();
  const asked = [projectId, filter.value, sort.value, order.value, columns.value.join("\n"), groupBy.value].join("\u0000");
  const latest = `${asked}\u0000${changed}`;
  const refused = refusal?.asked === asked ? refusal : undefined;
  const without = refused?.names ?? [];

  const grouped = groupBy.value !== "" && !without.includes("by");
  const sections = layOut(grouped ? groups : undefined, grouped ? 0 : (total ?? 0));
  const last = sections.at(-1);
  const count = last ? last.at + (last.group ? 1 : 0) + (last.open ? last.runs : 0) : 0;
  const rows = useRows(box, count, ROW);
  const wanted = pagesOf(sections, rows.first, rows.end);
  const names = wanted.map(([section, page]) => key(section, page)).join("\u0001");

  useEffect(() => {
    setPages(new Map());
    setTotal(undefined);
    setGroups(undefined);
    if (box.current) box.current.scrollTop = 0;
  }, [asked]);

  useEffect(() => {
    const stop = new AbortController();
    let timer = 0;
    const read = async () => {
      if (grouped) {
        const found = await api.groups(
          projectId,
          { ...asking(projectId, "", 0, without), by: groupBy.value, limit: GROUPS },
          stop.signal,
        );
        setGroups((before) => unlessSame(before, found.groups));
        const first = await api.runs({ ...asking(projectId, "", 0, without), columns: undefined, limit: NEWEST }, stop.signal);
        tell(first);
      }
      const some: [Section, number][] = wanted.length > 0 || grouped ? wanted : [[EVERYTHING, 0]];
      for (const [section, page] of some) {
        const found = await api.runs(asking(projectId, section.filter, page, without), stop.signal);
        learn(found.runs);
        setPages((before) => {
          const name = key(section, page);
          return unlessSame(before.get(name), found.runs) === before.get(name) ? before : new Map(before).set(name, found.runs);
        });
        if (!grouped) {
          setTotal(found.total);
          if (page === 0) tell(found);
        }
      }
      shown.current = latest;
    };
    const tell = (found: api.RunPage) => {
      learn(found.runs);
      setTotal(found.total);
      onRuns(found.runs, found.total);
    };
    const load = async () => {
      try {
        if (!document.hidden) await read();
        setError("");
      } catch (problem) {
        if (stop.signal.aborted) return;
        const said = api.said(problem);
        const name = problem instanceof api.Refused && READ.exec(said)?.[1];
        if (name && !without.includes(name)) return setRefusal({ asked, names: [...without, name], said });
        setError(said);
      }
      if (!stop.signal.aborted) timer = window.setTimeout(load, POLL);
    };
    // Scrolling past a page need not fetch it; what is there is asked for again in a while.
    const there = shown.current === latest && wanted.every(([section, page]) => pages.has(key(section, page)));
    if (shown.current === "") void load();
    else timer = window.setTimeout(load, there ? POLL : 30);
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [asked, names, changed, without.join()]);

  const runAt = (at: number): api.Run | undefined => {
    const section = sectionAt(sections, at);
    const place = section ? at - section.at - (section.group ? 1 : 0) : -1;
    return section && place >= 0 ? pages.get(key(section, Math.floor(place / PAGE)))?.[place % PAGE] : undefined;
  };
  const choose = (at: number, run: api.Run, far: boolean) => {
    const on = !chosen.includes(run.id);
    const from = far && anchor.current !== undefined ? anchor.current : at;
    const ids = new Set<number>([run.id]);
    for (let one = Math.min(from, at); one <= Math.max(from, at); one++) {
      const other = runAt(one);
      if (other) ids.add(other.id);
    }
    anchor.current = at;
    onChoose(on ? [...new Set([...chosen, ...ids])] : chosen.filter((id) => !ids.has(id)));
  };
  const many = Math.min(total ?? 0, ALL);
  const mine = new Set(chosen);
  const every = many > 0 && chosen.length >= many && [...pages.values()].flat().slice(0, many).every((run) => mine.has(run.id));
  const chooseAll = async () => {
    if (every) return onChoose([]);
    try {
      const found = await api.runs({ ...asking(projectId, "", 0, without), columns: undefined, limit: ALL });
      learn(found.runs);
      onChoose(found.runs.map((run) => run.id));
    } catch (problem) {
      setError(api.said(problem));
    }
  };
  const rename = async (id: number, name: string) => {
    const renamed = await api.rename(id, name);
    learn([renamed]);
    const next = (run: api.Run) => (run.id === id ? { ...run, name: renamed.name } : run);
    setPages((before) => new Map([...before].map(([name, runs]) => [name, runs.map(next)])));
  };

  const drawn = [];
  const there = new Set<number>();
  for (let at = rows.first; at < rows.end; at++) {
    const section = sectionAt(sections, at);
    if (section?.group && at === section.at) {
      drawn.push(<GroupRow key={`group ${section.filter}`} at={at} section={section} group={section.group} />);
    } else {
      // A row goes with its run: what somebody does in it must not end in that of a newcomer. While
      // pages are read anew, one run may be on two.
      const run = runAt(at);
      const mine = run && !there.has(run.id);
      if (mine) there.add(run.id);
      drawn.push(
        <Row key={mine ? `run ${run.id}` : `row ${at}`} at={at} run={run} chosen={chosen} onChoose={choose} onRename={rename} />,
      );
    }
  }
  const empty = grouped ? groups?.length === 0 : total === 0;
  return (
    <div class="table">
      {(error || refused) && (
        <p class="problem" role="alert" id="filter-problem">{error || `${refused?.said} – shown as if it were not there`}</p>
      )}
      <div class={columns.value.length > 0 ? "rows far" : "rows"} ref={box} tabIndex={0} role="table" aria-label="Runs" aria-rowcount={count + 1}>
        <div class="head" role="row" aria-rowindex={1}>
          <span class="pick" role="columnheader">
            <input type="checkbox" checked={every} indeterminate={chosen.length > 0 && !every} disabled={many === 0}
              aria-label="Choose all runs" title={total !== undefined && total > ALL ? `Choose the first ${ALL}` : "Choose all runs"}
              onChange={() => void chooseAll()} />
          </span>
          <Head name="Run" field="run_id" wide />
          <Head name="State" field="state" narrow />
          {columns.value.map((field) => <Head key={field} name={short(field)} field={field} numeric />)}
          <Head name="Created" field="created_at" />
        </div>
        <div class="all" style={{ height: `${rows.height}px` }} role="rowgroup">
          <div class="slice" style={{ transform: `translateY(${rows.top}px)` }} role="presentation">{drawn}</div>
        </div>
        {empty && !error && <Nothing projectId={projectId} />}
      </div>
      <p class="count" role="status">
        {total === undefined ? (error ? "" : "Loading …") : said(total, groups, chosen.length)}
      </p>
    </div>
  );
}

/** A field as it fits over a column: the end of a long name says more than its beginning. */
function short(field: string): string {
  const name = field.replace(/^(config|metric)\./, "");
  if (name.length <= 14) return name;
  const tail = name.slice(name.lastIndexOf("/") + 1);
  const figure = /^metric\..*\.(min|max|mean|last)$/.exec(field)?.[1];
  return figure ? `${figure} ${tail.slice(0, -figure.length - 1)}` : tail;
}

// Before what is wrong, the server says with which parameter.
const READ = /^(filter|sort_by|sort_order|columns|by): /;

function asking(projectId: number, within: string, page: number, without: string[] = []): api.RunsAsked {
  const unless = (name: string, value: string) => (without.includes(name) ? "" : value);
  return {
    project_id: projectId,
    filter: both(unless("filter", filterAsked.value), within),
    sort_by: unless("sort_by", sort.value),
    sort_order: unless("sort_order", order.value),
    columns: unless("columns", columns.value.join(",")),
    limit: PAGE,
    offset: page * PAGE,
  };
}

/** What the table of a project asks for first. */
export const firstPage = (projectId: number): api.RunsAsked => asking(projectId, "", 0);

const EVERYTHING: Section = { filter: "", runs: 0, at: 0, open: true };

const key = (section: Section, page: number): string => `${section.filter}\u0000${page}`;

const both = (one: string, other: string): string => (one && other ? `(${one}) and ${other}` : one || other);

/** The old one if the new says the same, so that nothing is drawn again. */
function unlessSame<T>(before: T | undefined, now: T): T {
  return before !== undefined && JSON.stringify(before) === JSON.stringify(now) ? before : now;
}

function layOut(groups: api.RunGroup[] | undefined, total: number): Section[] {
  if (groups === undefined) return [{ ...EVERYTHING, runs: total }];
  const open = new Set(openGroups.value);
  let at = 0;
  return groups.map((group) => {
    const section = { filter: group.filter, group, runs: group.runs, at, open: open.has(group.filter) };
    at += 1 + (section.open ? group.runs : 0);
    return section;
  });
}

function sectionAt(sections: Section[], at: number): Section | undefined {
  let low = 0;
  let high = sections.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((sections[middle] as Section).at <= at) low = middle;
    else high = middle - 1;
  }
  return sections[low];
}

/** The pages that the rows from `first` to `end` are on. */
function pagesOf(sections: Section[], first: number, end: number): [Section, number][] {
  const found = new Map<string, [Section, number]>();
  for (let at = first; at < end; at++) {
    const section = sectionAt(sections, at);
    const place = section ? at - section.at - (section.group ? 1 : 0) : -1;
    if (!section || place < 0 || !section.open) continue;
    const page = Math.floor(place / PAGE);
    found.set(key(section, page), [section, page]);
  }
  return [...found.values()];
}

function said(total: number, groups: api.RunGroup[] | undefined, chosen: number): string {
  const runs = `${total.toLocaleString()} ${total === 1 ? "run" : "runs"}`;
  const inGroups = groups && groupBy.value ? ` in ${groups.length} ${groups.length === 1 ? "group" : "groups"}` : "";
  return `${runs}${inGroups}, ${chosen} in the charts`;
}

function Nothing({ projectId }: { projectId: number }) {
  if (filter.value) {
    return (
      <div class="empty">
        <p>No run matches.</p>
        <button type="button" onClick={() => go({ filter: undefined })}>Show all runs</button>
      </div>
    );
  }
  return (
    <div class="empty">
      <p>No runs yet. Log one:</p>
      <pre>{`import trackai\n\nwith trackai.init(project="…") as run:\n    run.log({"loss": 0.5})`}</pre>
      <p class="faint">It appears here by itself, in project {projectId}.</p>
    </div>
  );
}

function Head({ name, field, wide, narrow, numeric }: {
  name: string;
  field: string;
  wide?: boolean;
  narrow?: boolean;
  numeric?: boolean;
}) {
  const mine = sort.value === field;
  const next = mine && order.value === "desc" ? "asc" : "desc";
  return (
    <span class={`cell${wide ? " wide" : ""}${narrow ? " state" : ""}${numeric ? " number" : ""}`} role="columnheader"
      aria-sort={mine ? (order.value === "desc" ? "descending" : "ascending") : "none"}>
      <button type="button" title={`Sort by ${field}`} onClick={() => go({ sort: field, order: next })}>
        {name}
        {mine && <span aria-hidden="true">{order.value === "desc" ? " ↓" : " ↑"}</span>}
      </button>
    </span>
  );
}

function GroupRow({ at, section, group }: { at: number; section: Section; group: api.RunGroup }) {
  const toggle = () => {
    const others = openGroups.value.filter((one) => one !== group.filter);
    go({ open: (section.open ? others : [...others, group.filter]).join("\n") }, { replace: true });
  };
  const name = group.value === null ? "none" : value(group.value);
  return (
    <div class="row group" role="row" aria-rowindex={at + 2}>
      <span class="cell name" role="cell">
        <button type="button" aria-expanded={section.open} onClick={toggle} title={group.filter}>
          <span class="turn" aria-hidden="true">▸</span>
          <b>{name}</b>
          <small>{group.runs.toLocaleString()} {group.runs === 1 ? "run" : "runs"}</small>
        </button>
      </span>
      <span class="cell state" role="cell" />
      {columns.value.map((field) => (
        <span class="cell number" role="cell" key={field} title={`mean of ${field}`}>
          {typeof group.means[field] === "number" && <><small aria-label="mean">⌀</small> {value(group.means[field])}</>}
        </span>
      ))}
      <span class="cell" role="cell" />
    </div>
  );
}

interface RowProps {
  at: number;
  run: api.Run | undefined;
  chosen: number[];
  onChoose: (at: number, run: api.Run, far: boolean) => void;
  onRename: (id: number, name: string) => Promise<unknown>;
}

function Row({ at, run, chosen, onChoose, onRename }: RowProps) {
  if (!run) return <div class="row waiting" role="row" aria-rowindex={at + 2}><span class="cell" role="cell" /></div>;
  const on = chosen.includes(run.id);
  const name = run.name ?? run.run_id;
  const there = within({ run: run.id, project: run.project_id });
  return (
    <div class={on ? "row on" : "row"} role="row" aria-rowindex={at + 2}>
      <span class="pick" role="cell">
        <input type="checkbox" checked={on} aria-label={`Show ${name} in the charts`} style={{ accentColor: color(run.id) }}
          onClick={(event) => onChoose(at, run, event.shiftKey)} />
      </span>
      <span class="cell wide" role="cell">
        <i class="dot" style={{ background: on ? color(run.id) : "transparent" }} />
        <Rename name={name} onRename={(next) => onRename(run.id, next)}>
          <a href={address(there, false)} title={run.run_id} onClick={(event) => follow(event, there)}>
            {name}
          </a>
        </Rename>
        {run.tags.length > 0 && (
          <span class="tags" title={run.tags.join(", ")}>{run.tags.map((tag) => <em class="tag" key={tag}>{tag}</em>)}</span>
        )}
      </span>
      <span class={`cell state ${run.state}`} role="cell">{run.state}</span>
      {columns.value.map((field) => (
        <span class="cell number" role="cell" key={field} title={String(run.values?.[field] ?? "")}>
          {value(run.values?.[field])}
        </span>
      ))}
      <span class="cell" role="cell" title={run.created_at}>{ago(run.created_at)}</span>
    </div>
  );
}
