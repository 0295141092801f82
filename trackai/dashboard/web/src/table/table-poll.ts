// Fetches the visible pages of the table, and again while it is shown.

import { ApiError, errorMessage } from "../api/client";
import { startPolling } from "../api/poller";
import { listGroups } from "../api/projects";
import { rememberNames } from "../api/run-names";
import { listRuns } from "../api/runs";
import type { Run, RunGroup, RunList } from "../api/types";
import { groupBy } from "../view/parameters";
import { ALL_RUNS, type PageRef } from "./group-layout";
import { runsQuery } from "./runs-query";

const POLL_MS = 3000;
// Scrolling past a page does not fetch it.
const SCROLL_DELAY_MS = 30;
// The charts of the page come before the figures that a table shows by default.
const FIGURES_DELAY_MS = 150;
const MAX_GROUPS = 1000;
// The newest runs are fetched for the charts, also while the table shows groups.
const NEWEST = 20;

// The parameter that the server could not read is at the start of its error message.
const UNREADABLE = /^(filter|sort_by|sort_order|columns|by): /;

/** What is on screen: nothing yet, other pages, these pages but for default figures, or these. */
export type Loaded = "nothing" | "others" | "withoutFigures" | "these";

export interface TablePoll {
  projectId: number;
  isGrouped: boolean;
  visible: PageRef[];
  /** The parameters that the server could not read. */
  ignored: string[];
  loaded: Loaded;
  onGroups: (groups: RunGroup[]) => void;
  onPage: (page: PageRef, runs: Run[]) => void;
  onNewestRuns: (runs: Run[]) => void;
  onTotal: (total: number) => void;
  onLoaded: () => void;
  onError: (message: string) => void;
  onUnreadable: (parameter: string, message: string) => void;
}

/** Start polling; returns a function that stops it. */
export function pollTable(poll: TablePoll): () => void {
  const { ignored } = poll;
  const load = async (signal: AbortSignal) => {
    try {
      if (!document.hidden) await read(poll, signal);
      poll.onError("");
    } catch (problem) {
      if (signal.aborted) return undefined;
      const message = errorMessage(problem);
      const parameter = problem instanceof ApiError && UNREADABLE.exec(message)?.[1];
      if (parameter && !ignored.includes(parameter)) {
        poll.onUnreadable(parameter, message);
        return undefined;
      }
      poll.onError(message);
    }
    return POLL_MS;
  };
  const delays = {
    nothing: undefined,
    others: SCROLL_DELAY_MS,
    withoutFigures: FIGURES_DELAY_MS,
    these: POLL_MS,
  };
  return startPolling(load, delays[poll.loaded]);
}

async function read(poll: TablePoll, signal: AbortSignal): Promise<void> {
  const { isGrouped, visible } = poll;
  if (isGrouped) await readGroups(poll, signal);
  const isFirst = visible.length === 0 && !isGrouped;
  const pages = isFirst ? [{ section: ALL_RUNS, page: 0 }] : visible;
  if (pages.length === 0) poll.onLoaded();
  let previous: { page: PageRef; next: string | undefined } | undefined;
  for (const page of pages) {
    // By cursor, no run is on both pages or on none if runs come and go between the requests.
    const follows = previous?.page.section === page.section && previous.page.page + 1 === page.page;
    const cursor = follows ? previous?.next : undefined;
    const query = runsQuery(poll.projectId, page.section.filter, page.page, poll.ignored);
    const list = await listRuns({ ...query, cursor }, signal);
    // The table is rendered when it is given the rows, and decides then when to read them again.
    if (page === pages.at(-1)) poll.onLoaded();
    showPage(poll, page, list);
    previous = { page, next: list.next_cursor ?? undefined };
  }
}

async function readGroups(poll: TablePoll, signal: AbortSignal): Promise<void> {
  const query = runsQuery(poll.projectId, "", 0, poll.ignored);
  const groupsQuery = { ...query, by: groupBy.value, limit: MAX_GROUPS };
  const { groups } = await listGroups(poll.projectId, groupsQuery, signal);
  poll.onGroups(groups);
  showNewest(poll, await listRuns({ ...query, columns: undefined, limit: NEWEST }, signal));
}

function showPage(poll: TablePoll, page: PageRef, list: RunList): void {
  rememberNames(list.runs);
  poll.onPage(page, list.runs);
  if (poll.isGrouped) return;
  poll.onTotal(list.total);
  if (page.page === 0) showNewest(poll, list);
}

function showNewest(poll: TablePoll, { runs, total }: RunList): void {
  rememberNames(runs);
  poll.onTotal(total);
  poll.onNewestRuns(runs);
}
