// The lines of a log: only the pages of visible lines are fetched.

import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";
import { errorMessage } from "../api/client";
import { getLog } from "../api/media";
import { startPolling } from "../api/poller";
import type { LogLine } from "../api/types";
import { useVirtualRows, type VirtualRows } from "../ui/virtual-rows";

export const ROW_HEIGHT = 20;
const PAGE_SIZE = 200;
const POLL_MS = 1500;
// Scrolling past a page does not fetch it.
const SCROLL_DELAY_MS = 20;

interface Options {
  box: RefObject<HTMLElement>;
  runId: number;
  path: string;
  search: string;
  running: boolean;
}

interface LogPages {
  rows: VirtualRows;
  /** The number of lines; undefined until it is known. */
  total: number | undefined;
  lineAt: (row: number) => LogLine | undefined;
  error: string;
}

export function useLogPages({ box, runId, path, search, running }: Options): LogPages {
  const [pages, setPages] = useState(new Map<number, LogLine[]>());
  const [total, setTotal] = useState<number>();
  const [error, setError] = useState("");
  const rows = useVirtualRows(box, total ?? 0, ROW_HEIGHT);
  const firstPage = Math.floor(rows.first / PAGE_SIZE);
  const lastPage = Math.floor(Math.max(rows.end - 1, 0) / PAGE_SIZE);

  useEffect(() => {
    const read = async (signal: AbortSignal) => {
      const fetchLines = (limit: number, offset: number, run_steps?: "true") =>
        getLog(runId, { metric: path, search, limit, offset, run_steps }, signal);
      for (let page = firstPage; page <= lastPage; page++) {
        if (pages.get(page)?.length === PAGE_SIZE) continue;
        const answer = await fetchLines(PAGE_SIZE, page * PAGE_SIZE, "true");
        setPages((before) => new Map(before).set(page, answer.lines));
        setTotal(answer.total);
      }
      if (running) setTotal((await fetchLines(1, 0)).total);
    };
    return startPolling(async (signal) => {
      if (document.hidden) return POLL_MS;
      try {
        await read(signal);
        setError("");
        return running ? POLL_MS : undefined;
      } catch (problem) {
        if (!signal.aborted) setError(errorMessage(problem));
        return POLL_MS;
      }
    }, SCROLL_DELAY_MS);
  }, [firstPage, lastPage, running, total]);

  const lineAt = (row: number) => pages.get(Math.floor(row / PAGE_SIZE))?.[row % PAGE_SIZE];
  return { rows, total, lineAt, error };
}
