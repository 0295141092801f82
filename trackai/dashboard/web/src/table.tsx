// The table of a project's runs: only the rows on screen exist, and only their pages are fetched.

import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "./api";
import { same } from "./comparison";
import { Head, short } from "./head";
import { learn } from "./names";
import { ALL, GroupRow, Row } from "./row";
import { useRows } from "./rows";
import { useScrolled } from "./scrolled";
import { EVERYTHING, key, layOut, PAGE, pagesOf, type Section, sectionAt } from "./sections";
import { strokeAt, useTogether } from "./together";
import { columns, filter, filterAsked, go, groupBy, meanOf, order, sort } from "./view";
import "./table.css";

const ROW = 32;
const POLL = 3000;
const GROUPS = 1000;
// What the first rows are read for, whatever the table shows of them.
const NEWEST = 20;

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
  const asked = [
    projectId,
    filter.value,
    sort.value,
    order.value,
    columns.value.join("\n"),
    groupBy.value,
  ].join("\u0000");
  const latest = `${asked}\u0000${changed}`;
  const refused = refusal?.asked === asked ? refusal : undefined;
  const without = refused?.names ?? [];

  const grouped = groupBy.value !== "" && !without.includes("by");
  const sections = layOut(grouped ? groups : undefined, grouped ? 0 : (total ?? 0));
  const last = sections.at(-1);
  const count = last ? last.at + (last.group ? 1 : 0) + (last.open ? last.runs : 0) : 0;
  const rows = useRows(box, count, ROW);
  useScrolled(box, "table", count > 0, asked);
  const wanted = pagesOf(sections, rows.first, rows.end);
  const names = wanted.map(([section, page]) => key(section, page)).join("\u0001");

  useEffect(() => {
    setPages(new Map());
    setTotal(undefined);
    setGroups(undefined);
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
        const first = await api.runs(
          { ...asking(projectId, "", 0, without), columns: undefined, limit: NEWEST },
          stop.signal,
        );
        tell(first);
      }
      const some: [Section, number][] = wanted.length > 0 || grouped ? wanted : [[EVERYTHING, 0]];
      for (const [section, page] of some) {
        const found = await api.runs(asking(projectId, section.filter, page, without), stop.signal);
        learn(found.runs);
        setPages((before) => {
          const name = key(section, page);
          return unlessSame(before.get(name), found.runs) === before.get(name)
            ? before
            : new Map(before).set(name, found.runs);
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
        if (name && !without.includes(name))
          return setRefusal({ asked, names: [...without, name], said });
        setError(said);
      }
      if (!stop.signal.aborted) timer = window.setTimeout(load, POLL);
    };
    // Scrolling past a page need not fetch it; what is there is asked for again in a while.
    const there =
      shown.current === latest && wanted.every(([section, page]) => pages.has(key(section, page)));
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
    return section && place >= 0
      ? pages.get(key(section, Math.floor(place / PAGE)))?.[place % PAGE]
      : undefined;
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
  const every =
    many > 0 &&
    chosen.length >= many &&
    [...pages.values()]
      .flat()
      .slice(0, many)
      .every((run) => mine.has(run.id));
  // Of groups that were ticked, until it is known of all.
  const members = useRef(new Map<string, number[]>());
  const chooseFound = async (within: string, before: number[]) => {
    try {
      const found = await api.runs({
        ...asking(projectId, within, 0, without),
        columns: undefined,
        limit: ALL,
      });
      learn(found.runs);
      const ids = found.runs.map((run) => run.id);
      members.current.set(within, ids);
      onChoose([...new Set([...before, ...ids])]);
    } catch (problem) {
      setError(api.said(problem));
    }
  };
  const means = chosen.length > 1 && meanOf.value !== "";
  const together = useTogether(chosen, grouped ? groupBy.value : "");
  const rename = async (id: number, name: string) => {
    const renamed = await api.rename(id, name);
    learn([renamed]);
    const next = (run: api.Run) => (run.id === id ? { ...run, name: renamed.name } : run);
    setPages((before) => new Map([...before].map(([name, runs]) => [name, runs.map(next)])));
  };

  const heads = short(columns.value);
  const isWord = (field: string) =>
    [...pages.values()].some(([first]) => typeof first?.values?.[field] === "string");
  const drawn = [];
  const there = new Set<number>();
  for (let at = rows.first; at < rows.end; at++) {
    const section = sectionAt(sections, at);
    if (section?.group && at === section.at) {
      const { group } = section;
      const place = together.findIndex((one) => same(one.value) === same(group.value));
      const known = [
        ...(together[place]?.run_ids ?? []),
        ...(members.current.get(section.filter) ?? []),
      ];
      const own = [...new Set(known)].filter((id) => mine.has(id));
      drawn.push(
        <GroupRow
          key={`group ${section.filter}`}
          at={at}
          section={section}
          group={group}
          chosen={own.length}
          line={means && meanOf.value === groupBy.value && place >= 0 ? strokeAt(place) : undefined}
          onChoose={(on) =>
            on
              ? void chooseFound(section.filter, chosen)
              : onChoose(chosen.filter((id) => !own.includes(id)))
          }
        />,
      );
    } else {
      // A row goes with its run: what somebody does in it must not end in that of a newcomer. While
      // pages are read anew, one run may be on two.
      const run = runAt(at);
      const mine = run && !there.has(run.id);
      if (mine) there.add(run.id);
      drawn.push(
        <Row
          key={mine ? `run ${run.id}` : `row ${at}`}
          at={at}
          run={run}
          chosen={chosen}
          means={means}
          onChoose={choose}
          onRename={rename}
        />,
      );
    }
  }
  const empty = grouped ? groups?.length === 0 : total === 0;
  return (
    <div class="table">
      {(error || refused) && (
        <p class="problem" role="alert" id="filter-problem">
          {error || `${refused?.said} – shown as if it were not there`}
        </p>
      )}
      <div
        class={columns.value.length > 0 ? "rows far" : "rows"}
        ref={box}
        tabIndex={0}
        role="table"
        aria-label="Runs"
        aria-rowcount={count + 1}
      >
        <div class="head" role="row" aria-rowindex={1}>
          <span class="pick" role="columnheader">
            <input
              type="checkbox"
              checked={every}
              indeterminate={chosen.length > 0 && !every}
              disabled={many === 0}
              aria-label="Choose all runs"
              title={
                total !== undefined && total > ALL ? `Choose the first ${ALL}` : "Choose all runs"
              }
              onChange={() => (every ? onChoose([]) : void chooseFound("", []))}
            />
          </span>
          <Head name="Run" field="name" kind="wide" words />
          <Head name="State" field="state" kind="state" words />
          {columns.value.map((field, at) => (
            <Head
              key={field}
              name={heads[at] as string}
              field={field}
              kind="number"
              words={isWord(field)}
            />
          ))}
          <Head name="Created" field="created_at" kind="created" />
        </div>
        <div class="all" style={{ height: `${rows.height}px` }} role="rowgroup">
          <div class="slice" style={{ transform: `translateY(${rows.top}px)` }} role="presentation">
            {drawn}
          </div>
        </div>
        {empty && !error && <Nothing projectId={projectId} />}
      </div>
      <p class="count" role="status">
        {total === undefined ? (error ? "" : "Loading …") : said(total, groups, chosen.length)}
      </p>
    </div>
  );
}

// Before what is wrong, the server says with which parameter.
const READ = /^(filter|sort_by|sort_order|columns|by): /;

function asking(
  projectId: number,
  within: string,
  page: number,
  without: string[] = [],
): api.RunsAsked {
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

const both = (one: string, other: string): string =>
  one && other ? `(${one}) and ${other}` : one || other;

/** The old one if the new says the same, so that nothing is drawn again. */
function unlessSame<T>(before: T | undefined, now: T): T {
  return before !== undefined && JSON.stringify(before) === JSON.stringify(now) ? before : now;
}

function said(total: number, groups: api.RunGroup[] | undefined, chosen: number): string {
  const runs = `${total.toLocaleString()} ${total === 1 ? "run" : "runs"}`;
  const inGroups =
    groups && groupBy.value
      ? ` in ${groups.length} ${groups.length === 1 ? "group" : "groups"}`
      : "";
  return `${runs}${inGroups}, ${chosen} in the charts`;
}

function Nothing({ projectId }: { projectId: number }) {
  if (filter.value) {
    return (
      <div class="empty">
        <p>No run matches.</p>
        <button type="button" onClick={() => go({ filter: undefined })}>
          Show all runs
        </button>
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
