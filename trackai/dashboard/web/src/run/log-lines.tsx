// The lines of a log. The list is virtualised: only visible lines are rendered.

import type { RefObject } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { LogLine } from "../api/types";
import { Checkbox } from "../ui/controls";
import { formatTime, plural } from "../ui/format";
import { ErrorMessage } from "../ui/messages";
import { go } from "../view/address";
import { CopyLines } from "./copy-lines";
import { describePlace, setShowsPlaces, showsPlaces, useLineAt } from "./log-place";
import { copiedText, markMatch, terminalSegments } from "./log-text";
import { ROW_HEIGHT, useLogPages } from "./use-log-pages";

// The line to scroll to when a match is opened in context, which renders the list again.
let targetLine: number | undefined;

interface Props {
  runId: number;
  path: string;
  search: string;
  /** The step or the time of the line to begin at; "" for the beginning or the end. */
  at: string;
  running: boolean;
}

export function LogLines({ runId, path, search, at, running }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const pages = useLogPages({ box, runId, path, search, running });
  const { total, rows } = pages;
  const [openLine, setOpenLine] = useState<LogLine>();
  const [markedLine, setMarkedLine] = useState<number>();
  const linked = useLineAt(runId, path, search ? "" : at);
  const hasJumped = useRef(false);
  const follow = useFollowing(box, running && !search && !at && targetLine === undefined);

  useLayoutEffect(() => {
    if (total === undefined || !box.current) return;
    if (targetLine !== undefined) {
      rows.scrollToRow(targetLine);
      setMarkedLine(targetLine);
      targetLine = undefined;
    } else if (linked.line !== undefined && !hasJumped.current) {
      hasJumped.current = true;
      rows.scrollToRow(linked.line);
      setMarkedLine(linked.line);
    } else if (follow.isFollowing) {
      box.current.scrollTop = box.current.scrollHeight;
    }
  }, [total, follow.isFollowing, linked.line]);

  const onOpen = (line: LogLine) => {
    if (!search) return setOpenLine(line);
    targetLine = line.number;
    go({ find: undefined });
  };
  const lines = [];
  for (let row = rows.first; row < rows.end; row++) {
    const line = pages.lineAt(row);
    const isMarked = line !== undefined && line.number === markedLine;
    lines.push(<Line key={row} line={line} search={search} isMarked={isMarked} onOpen={onOpen} />);
  }
  return (
    <>
      <ErrorMessage message={pages.error || linked.error} />
      <div
        class={showsPlaces.value ? "lines placed" : "lines"}
        ref={box}
        tabIndex={0}
        role="log"
        aria-label={`Lines of ${path}`}
        aria-live="off"
        onCopy={copyPrinted}
        onScroll={follow.onScroll}
        onWheel={follow.onWheel}
      >
        <div class="tall" style={{ height: `${rows.height}px` }}>
          <div class="slice" style={{ transform: `translateY(${rows.top}px)` }}>
            {lines}
          </div>
        </div>
        {total === 0 && <p class="empty">{search ? "No lines match." : "No lines yet."}</p>}
      </div>
      <p class="count">
        <span>{countText(total, search)}</span>
        {search && !!total && <span>Click a line number to see the line in context</span>}
        {running && !search && (
          <Checkbox checked={follow.isFollowing} onChange={follow.setFollowing}>
            Follow
          </Checkbox>
        )}
        <Checkbox checked={showsPlaces.value} onChange={setShowsPlaces}>
          Time and step
        </Checkbox>
        {!!total && <CopyLines runId={runId} path={path} search={search} total={total} />}
      </p>
      {openLine && <FullLine line={openLine} onClose={() => setOpenLine(undefined)} />}
    </>
  );
}

function countText(total: number | undefined, search: string): string {
  if (total === undefined) return "Loading…";
  return search ? plural(total, "match", "matches") : plural(total, "line");
}

/** Whether the list scrolls to new lines: not after scrolling up, again at the end. */
function useFollowing(box: RefObject<HTMLElement>, initial: boolean) {
  const [isFollowing, setFollowing] = useState(initial);
  const lastScrollTop = useRef(0);
  // Following only scrolls down, so scrolling up is always the user's.
  const onScroll = () => {
    if (!box.current) return;
    const { scrollTop, scrollHeight, clientHeight } = box.current;
    const pixelsBelow = scrollHeight - scrollTop - clientHeight;
    if (scrollTop < lastScrollTop.current && pixelsBelow >= 1) setFollowing(false);
    else if (scrollTop > lastScrollTop.current && pixelsBelow <= 2 * ROW_HEIGHT) setFollowing(true);
    lastScrollTop.current = scrollTop;
  };
  // At once: lines that arrive before the scroll event would scroll back to the end.
  const onWheel = (event: WheelEvent) => {
    if (event.deltaY < 0 && box.current && box.current.scrollTop > 0) setFollowing(false);
  };
  return { isFollowing, setFollowing, onScroll, onWheel };
}

interface LineProps {
  line: LogLine | undefined;
  search: string;
  isMarked: boolean;
  onOpen: (line: LogLine) => void;
}

function Line({ line, search, isMarked, onOpen }: LineProps) {
  if (!line) return <div class="line" />;
  const number = line.number + 1;
  return (
    <div class={isMarked ? "line marked" : "line"}>
      <button
        type="button"
        class="number"
        tabIndex={-1}
        title={describePlace(line)}
        aria-label={search ? `Show line ${number} in context` : `Show line ${number} in full`}
        onClick={() => onOpen(line)}
      >
        {number}
      </button>
      <span class="when" title={describePlace(line)}>
        {formatTime(Date.parse(line.timestamp) / 1000)}
      </span>
      <span class="at">{line.step ?? line.run_step ?? ""}</span>
      <span class="printed">
        {markMatch(terminalSegments(line.text), search).map(({ text, style, isMatch }, index) => {
          const Part = isMatch ? "mark" : "span";
          return (
            <Part key={index} class={style}>
              {text}
            </Part>
          );
        })}
      </span>
    </div>
  );
}

/** Copy what was printed: line numbers, times and steps cannot be selected. */
function copyPrinted(event: ClipboardEvent): void {
  const text = getSelection()?.toString();
  if (!text || !event.clipboardData) return;
  event.clipboardData.setData("text/plain", copiedText(text));
  event.preventDefault();
}

function FullLine({ line, onClose }: { line: LogLine; onClose: () => void }) {
  const name = `Line ${line.number + 1}`;
  return (
    <section class="whole" aria-label={name}>
      <p>
        {name}, {describePlace(line)}
        <button type="button" onClick={onClose}>
          Close
        </button>
      </p>
      <pre tabIndex={0}>{line.text}</pre>
    </section>
  );
}
