import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startPolling } from "../../src/api/poller";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("rounds follow at the delays that they return, until there is none", async () => {
  const delays = [100, 50, undefined];
  const round = vi.fn(async () => delays[round.mock.calls.length - 1]);
  startPolling(round);
  expect(round).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(99);
  expect(round).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(round).toHaveBeenCalledTimes(2);
  await vi.advanceTimersByTimeAsync(50);
  expect(round).toHaveBeenCalledTimes(3);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(round).toHaveBeenCalledTimes(3);
});

test("the first round may be delayed, and stopped before", async () => {
  const round = vi.fn(async () => undefined);
  startPolling(round, 30);
  const stop = startPolling(round, 30);
  expect(round).not.toHaveBeenCalled();
  stop();
  await vi.advanceTimersByTimeAsync(100);
  expect(round).toHaveBeenCalledTimes(1);
});

test("stopping aborts the requests of a round and starts no other", async () => {
  let signal: AbortSignal | undefined;
  const round = vi.fn(async (roundSignal: AbortSignal) => {
    signal = roundSignal;
    return 10;
  });
  const stop = startPolling(round);
  stop();
  expect(signal?.aborted).toBe(true);
  await vi.advanceTimersByTimeAsync(100);
  expect(round).toHaveBeenCalledTimes(1);
});
