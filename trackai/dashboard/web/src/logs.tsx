// What a run has printed: only the lines on screen exist, and only their pages are fetched.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { said } from "./api";
import * as api from "./details";
import { moment } from "./format";
import { useRows } from "./rows";
import { useTyped } from "./typed";
import { go, text } from "./view";

const ROW = 20;
const PAGE = 200;
const POLL = 1500;
const log = text("log");
const find = text("find");

export function Logs({
  runId,
  paths,
  running,
}: {
  runId: number;
  paths: string[];
  running: boolean;
}) {
  const path = paths.includes(log.value)
    ? log.value
    : (paths.find((one) => one.includes("stdout")) ?? paths[0]);
  if (!path) {
    return (
      <p class="empty">
        No text has been logged. Log some with run.log({"{"}"stdout": "a line"{"}"}).
      </p>
    );
  }
  return (
    <div class="log">
      <form class="tools" onSubmit={(event) => event.preventDefault()}>
        {paths.length > 1 && (
          <label>
            Series
            <select
              value={path}
              onChange={(event) => go({ log: event.currentTarget.value }, { replace: true })}
            >
              {paths.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
          </label>
        )}
        <Search />
      </form>
      <Lines
        key={`${path}\u0000${find.value}`}
        runId={runId}
        path={path}
        search={find.value}
        running={running}
      />
    </div>
  );
}

/** Typing asks a moment after the last key, so that not every letter is a question. */
function Search() {
  const timer = useRef(0);
  const typed = useTyped(find.value);
  return (
    <input
      type="search"
      aria-label="Search the log"
      placeholder="Search the log"
      ref={typed}
      spellcheck={false}
      onInput={(event) => {
        const value = event.currentTarget.value;
        clearTimeout(timer.current);
        timer.current = window.setTimeout(() => go({ find: value }, { replace: true }), 250);
      }}
    />
  );
}

// The line to go to when a hit is opened in its place.
let goal: number | undefined;

function Lines({
  runId,
  path,
  search,
  running,
}: {
  runId: number;
  path: string;
  search: string;
  running: boolean;
}) {
  const box = useRef<HTMLDivElement>(null);
  const [pages, setPages] = useState(new Map<number, api.LogLine[]>());
  const [total, setTotal] = useState<number>();
  const [following, setFollowing] = useState(running && !search && goal === undefined);
  const [open, setOpen] = useState<api.LogLine>();
  const [marked, setMarked] = useState<number>();
  const [error, setError] = useState("");
  const rows = useRows(box, total ?? 0, ROW);
  const firstPage = Math.floor(rows.first / PAGE);
  const lastPage = Math.floor(Math.max(rows.end - 1, 0) / PAGE);
  const before = useRef(0);

  useEffect(() => {
    const stop = new AbortController();
    let timer = 0;
    const load = async () => {
      let again = running;
      try {
        if (!document.hidden) {
          for (let page = firstPage; page <= lastPage; page++) {
            if (pages.get(page)?.length === PAGE) continue;
            const found = await api.log(
              runId,
              { metric: path, search, limit: PAGE, offset: page * PAGE },
              stop.signal,
            );
            setPages((before) => new Map(before).set(page, found.lines));
            setTotal(found.total);
          }
          if (running) {
            const { total: now } = await api.log(
              runId,
              { metric: path, search, limit: 1, offset: 0 },
              stop.signal,
            );
            setTotal(now);
          }
        }
        setError("");
      } catch (problem) {
        again = true;
        if (!stop.signal.aborted) setError(said(problem));
      }
      if (!stop.signal.aborted && again) timer = window.setTimeout(load, POLL);
    };
    timer = window.setTimeout(load, 20);
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [firstPage, lastPage, running, total]);

  useLayoutEffect(() => {
    if (total === undefined || !box.current) return;
    if (goal !== undefined) {
      rows.reach(goal);
      setMarked(goal);
      goal = undefined;
    } else if (following) {
      box.current.scrollTop = box.current.scrollHeight;
    }
  }, [total, following]);

  // Who scrolls up wants to read; who comes back to the end wants to follow again. Following only
  // ever scrolls down, and a larger window keeps the end in sight.
  const onScroll = () => {
    if (!box.current) return;
    const { scrollTop } = box.current;
    const left = below(box.current);
    if (scrollTop < before.current && left >= 1) setFollowing(false);
    else if (scrollTop > before.current && left <= 2 * ROW) setFollowing(true);
    before.current = scrollTop;
  };
  // At once: new lines that arrive before the page has scrolled would take it back to the end.
  const onWheel = (event: WheelEvent) => {
    if (event.deltaY < 0 && box.current && box.current.scrollTop > 0) setFollowing(false);
  };

  const shown = [];
  for (let at = rows.first; at < rows.end; at++) {
    shown.push(
      <Line
        key={at}
        line={pages.get(Math.floor(at / PAGE))?.[at % PAGE]}
        search={search}
        marked={marked}
        onOpen={(line) => {
          if (search) {
            goal = line.number;
            go({ find: undefined });
          } else {
            setOpen(line);
          }
        }}
      />,
    );
  }
  return (
    <>
      {error && (
        <p class="problem" role="alert">
          {error}
        </p>
      )}
      <div
        class="lines"
        ref={box}
        tabIndex={0}
        role="log"
        aria-label={`Lines of ${path}`}
        aria-live="off"
        onScroll={onScroll}
        onWheel={onWheel}
      >
        <div class="tall" style={{ height: `${rows.height}px` }}>
          <div class="slice" style={{ transform: `translateY(${rows.top}px)` }}>
            {shown}
          </div>
        </div>
        {total === 0 && (
          <p class="empty">{search ? "No line holds that." : "Nothing has been printed yet."}</p>
        )}
      </div>
      <p class="count">
        <span>
          {total === undefined
            ? "Loading …"
            : `${total.toLocaleString()} ${search ? (total === 1 ? "hit" : "hits") : "lines"}`}
        </span>
        {search && !!total && <span>open one to see it in its place</span>}
        {running && !search && (
          <label>
            <input
              type="checkbox"
              checked={following}
              onChange={(event) => setFollowing(event.currentTarget.checked)}
            />
            follow
          </label>
        )}
      </p>
      {open && <Whole line={open} onClose={() => setOpen(undefined)} />}
    </>
  );
}

/** How many pixels there are below what a box shows. */
const below = (box: HTMLElement): number => box.scrollHeight - box.scrollTop - box.clientHeight;

interface LineProps {
  line: api.LogLine | undefined;
  search: string;
  marked: number | undefined;
  onOpen: (line: api.LogLine) => void;
}

function Line({ line, search, marked, onOpen }: LineProps) {
  if (!line) return <div class="line" />;
  return (
    <div class={line.number === marked ? "line marked" : "line"}>
      <button
        type="button"
        class="number"
        tabIndex={-1}
        title={place(line)}
        aria-label={
          search
            ? `Show line ${line.number + 1} in its place`
            : `Show line ${line.number + 1} in full`
        }
        onClick={() => onOpen(line)}
      >
        {line.number + 1}
      </button>
      <span class="printed">{highlighted(printed(line.text), search)}</span>
    </div>
  );
}

const place = (line: api.LogLine): string =>
  `${moment(Date.parse(line.timestamp) / 1000)}${line.step === null ? "" : `, step ${line.step}`}`;

/** A line as a terminal would show it: what was overwritten is gone, and colours are left out. */
function printed(said: string): string {
  const lines = said
    .replace(/\u001b\[[0-9;?]*[A-Za-z]/g, "")
    .replace(/[\r\n]+$/, "")
    .split("\n");
  const last = (one: string) => one.slice(one.lastIndexOf("\r") + 1);
  return lines.map(last).join(" ⏎ ");
}

function highlighted(said: string, search: string) {
  if (!search) return said;
  const at = said.toLowerCase().indexOf(search.toLowerCase());
  if (at < 0) return said;
  return (
    <>
      {said.slice(0, at)}
      <mark>{said.slice(at, at + search.length)}</mark>
      {said.slice(at + search.length)}
    </>
  );
}

function Whole({ line, onClose }: { line: api.LogLine; onClose: () => void }) {
  return (
    <section class="whole" aria-label={`Line ${line.number + 1}`}>
      <p>
        Line {line.number + 1}, {place(line)}
        <button type="button" onClick={onClose}>
          Close
        </button>
      </p>
      <pre tabIndex={0}>{line.text}</pre>
    </section>
  );
}
