// Waiting until neither the user nor the page is busy.

// After the last key, wheel or press; a zoom is followed by requests and by drawing.
const QUIET_MS = 500;

let isPressed = false;
let lastInput = -QUIET_MS;
let requests = 0;

const noteInput = ({ type, timeStamp }: Event): void => {
  if (type === "pointerdown") isPressed = true;
  else if (type.startsWith("pointer")) isPressed = false;
  lastInput = timeStamp;
};
for (const type of ["pointerdown", "pointerup", "pointercancel", "keydown", "wheel", "scroll"]) {
  addEventListener(type, noteInput, { capture: true, passive: true });
}

/** Count a request that the user waits for. */
export function busyWith<T>(request: Promise<T>): Promise<T> {
  requests += 1;
  return request.finally(() => {
    requests -= 1;
  });
}

const isBusy = (): boolean =>
  isPressed || requests > 0 || performance.now() - lastInput < QUIET_MS || document.hidden;

/** Resolves when the browser has nothing to do and the user does nothing, or after an abort. */
export async function whenIdle(signal: AbortSignal): Promise<void> {
  do {
    await idlePeriod();
  } while (isBusy() && !signal.aborted && (await pause()));
}

const pause = (): Promise<true> => new Promise((resolve) => setTimeout(resolve, QUIET_MS, true));

/** Safari cannot tell when it is idle. */
const idlePeriod = (): Promise<unknown> =>
  new Promise((resolve) =>
    "requestIdleCallback" in globalThis ? requestIdleCallback(resolve) : setTimeout(resolve, 1),
  );
