// Questions and drawings wait for each other here: a server answers a few at a time anyway, and what is asked
// for last by hand should not stand behind what is off the screen by now.

const AT_ONCE = 3;

interface Job {
  start: () => void;
  signal: AbortSignal;
}

const waiting: Job[] = [];
let running = 0;
let urgentOnes = 0;

/** Ask when it is this question's turn; an urgent one goes first, and alone. */
export function inTurn<T>(ask: () => Promise<T>, signal: AbortSignal, urgent = false): Promise<T> {
  return new Promise((resolve, reject) => {
    const weight = urgent ? 1 : 0;
    const start = () => {
      running += 1;
      urgentOnes += weight;
      ask()
        .then(resolve, reject)
        .finally(() => {
          running -= 1;
          urgentOnes -= weight;
          next();
        });
    };
    if (urgent) waiting.unshift({ start, signal });
    else waiting.push({ start, signal });
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    // What is asked for together is looked at together: the urgent one may be the last.
    queueMicrotask(next);
  });
}

function next(): void {
  while (running < AT_ONCE && urgentOnes === 0) {
    const job = waiting.shift();
    if (!job) return;
    if (!job.signal.aborted) job.start();
  }
}

const drawing: (() => void)[] = [];
let frame = 0;

/** Draw in a frame of its own: many at once would stop what scrolls. What it returns takes it back. */
export function inAFrame(draw: () => void): () => void {
  drawing.push(draw);
  frame ||= requestAnimationFrame(drawOne);
  return () => {
    const at = drawing.indexOf(draw);
    if (at >= 0) drawing.splice(at, 1);
  };
}

function drawOne(): void {
  drawing.shift()?.();
  frame = drawing.length > 0 ? requestAnimationFrame(drawOne) : 0;
}
