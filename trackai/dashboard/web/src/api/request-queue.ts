// A queue of chart requests. The server works on a few at a time, and a request made by hand must
// not wait for charts that have been scrolled away.

import { busyWith } from "../ui/idle";

const MAX_PARALLEL = 3;

interface Job {
  start: () => void;
  signal: AbortSignal;
}

const waiting: Job[] = [];
let running = 0;
let urgentRunning = 0;

/** Send a request in its turn; an urgent one goes first and alone. */
export function enqueue<T>(
  send: () => Promise<T>,
  signal: AbortSignal,
  urgent = false,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const weight = urgent ? 1 : 0;
    const abort = () => reject(signal.reason);
    const start = () => {
      running += 1;
      urgentRunning += weight;
      busyWith(send())
        .then(resolve, reject)
        .finally(() => {
          // The signal of a chart lives as long as the chart, for thousands of requests.
          signal.removeEventListener("abort", abort);
          running -= 1;
          urgentRunning -= weight;
          startNext();
        });
    };
    if (urgent) waiting.unshift({ start, signal });
    else waiting.push({ start, signal });
    signal.addEventListener("abort", abort, { once: true });
    // After the current task: the last of several requests may be the urgent one.
    queueMicrotask(startNext);
  });
}

function startNext(): void {
  while (running < MAX_PARALLEL && urgentRunning === 0) {
    const job = waiting.shift();
    if (!job) return;
    if (!job.signal.aborted) job.start();
  }
}
