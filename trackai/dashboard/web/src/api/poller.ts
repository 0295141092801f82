// Repeated requests.

/** One round of requests; returns the milliseconds until the next one, or undefined to stop. */
type Round = (signal: AbortSignal) => Promise<number | undefined>;

/** Start rounds, after a delay if there is one; returns a function that stops them. */
export function startPolling(round: Round, delay?: number): () => void {
  const stop = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const run = async () => {
    const next = await round(stop.signal);
    if (!stop.signal.aborted && next !== undefined) timer = setTimeout(run, next);
  };
  if (delay === undefined) void run();
  else timer = setTimeout(run, delay);
  return () => {
    stop.abort();
    clearTimeout(timer);
  };
}
