import { expect, test } from "vitest";
import { enqueue } from "../../src/api/request-queue";

/** Requests that finish when they are told to. */
function controlled() {
  const started: string[] = [];
  const finish = new Map<string, () => void>();
  const send = (name: string, signal: AbortSignal, urgent = false) =>
    enqueue(
      () => {
        started.push(name);
        return new Promise<string>((resolve) => finish.set(name, () => resolve(name)));
      },
      signal,
      urgent,
    );
  return { started, finish, send };
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

test("a few requests run at a time, an urgent one first and alone", async () => {
  const { started, finish, send } = controlled();
  const { signal } = new AbortController();
  const answers = ["a", "b", "c", "d"].map((name) => send(name, signal));
  await settled();
  expect(started).toEqual(["a", "b", "c"]);
  answers.push(send("urgent", signal, true));
  finish.get("a")?.();
  await settled();
  expect(started).toEqual(["a", "b", "c", "urgent"]);
  finish.get("b")?.();
  await settled();
  expect(started).not.toContain("d");
  finish.get("urgent")?.();
  await settled();
  expect(started.at(-1)).toBe("d");
  finish.get("c")?.();
  finish.get("d")?.();
  expect(await Promise.all(answers)).toEqual(["a", "b", "c", "d", "urgent"]);
});

test("an aborted request is not sent", async () => {
  const { started, finish, send } = controlled();
  const { signal } = new AbortController();
  const stop = new AbortController();
  const running = ["a", "b", "c"].map((name) => send(name, signal));
  const waiting = send("aborted", stop.signal);
  await settled();
  stop.abort();
  await expect(waiting).rejects.toThrow();
  for (const name of ["a", "b", "c"]) finish.get(name)?.();
  await Promise.all(running);
  await settled();
  expect(started).toEqual(["a", "b", "c"]);
});

test("a finished request leaves no listener on its signal", async () => {
  const { signal } = new AbortController();
  let listeners = 0;
  const [add, remove] = [signal.addEventListener, signal.removeEventListener];
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners += 1;
    add.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners -= 1;
    remove.apply(signal, args);
  };
  for (let request = 0; request < 5; request++) {
    await enqueue(() => Promise.resolve(request), signal);
    await settled();
  }
  expect(listeners).toBe(0);
});
