import { beforeEach, expect, test, vi } from "vitest";
import type { Alert } from "../../src/api/types";

const alert = (second: number, change: Partial<Alert> = {}): Alert => ({
  level: "warn",
  title: `at ${second}`,
  text: null,
  is_cut: false,
  step: second,
  timestamp: new Date(second * 1000).toISOString(),
  run_id: 1,
  run: "r",
  project_id: 1,
  project: "p",
  ...change,
});

const stored = new Map<string, string>();
vi.stubGlobal("localStorage", {
  getItem: (key: string) => stored.get(key) ?? null,
  setItem: (key: string, value: string) => stored.set(key, value),
});

async function load() {
  vi.resetModules();
  return import("../../src/shell/unread");
}

const NONE_ARCHIVED = { archived: 0, archived_runs: 0 };

beforeEach(() => stored.clear());

test("every alert is unread at first, and stays read in this browser", async () => {
  const { isUnread, markRead, latestAlerts, unreadCount } = await load();
  const alerts = [alert(2), alert(1)];
  latestAlerts.value = { alerts, total: 2, ...NONE_ARCHIVED };
  expect(unreadCount.value).toBe(2);
  markRead(alert(2));
  expect(alerts.map(isUnread)).toEqual([false, true]);
  const reloaded = await load();
  expect(alerts.map(reloaded.isUnread)).toEqual([false, true]);
});

test("an alert that arrives late is unread, though older than those that were read", async () => {
  const { isUnread, markAllRead } = await load();
  markAllRead({ alerts: [alert(9), alert(5)], total: 2, ...NONE_ARCHIVED });
  expect([9, 5, 7, 3].map((second) => isUnread(alert(second)))).toEqual([false, false, true, true]);
});

test("what was beyond a list stays read when it moves into it", async () => {
  const { isUnread, markAllRead } = await load();
  markAllRead({ alerts: [alert(9), alert(5)], total: 3, ...NONE_ARCHIVED });
  expect([9, 7, 5, 4].map((second) => isUnread(alert(second)))).toEqual([
    false,
    true,
    false,
    false,
  ]);
});

test("alerts of the same second and different levels differ", async () => {
  const { isUnread, markRead } = await load();
  markRead(alert(1));
  expect(isUnread(alert(1, { level: "error" }))).toBe(true);
  expect(isUnread(alert(1, { run_id: 2 }))).toBe(true);
});

test.each(["", "[", "null", "3", '{"keys": 3, "until": "x"}'])(
  "%j in the storage is nothing",
  async (text) => {
    stored.set("read-alerts", text);
    const { isUnread } = await load();
    expect(isUnread(alert(1))).toBe(true);
  },
);
