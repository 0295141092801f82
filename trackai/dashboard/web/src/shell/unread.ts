// Which alerts have not been read in this browser.

import { computed, signal } from "@preact/signals";
import type { Alert, AlertPage } from "../api/types";
import { readStored, store } from "../ui/storage";

const STORAGE_KEY = "read-alerts";
// More keys than a list has alerts.
const MAX_KEYS = 2000;

interface ReadAlerts {
  keys: string[];
  /** Alerts up to this time are read, in milliseconds since the epoch. */
  until: number;
}

/** The latest alerts; undefined until they are fetched. */
export const latestAlerts = signal<AlertPage | undefined>(undefined);

const readAlerts = signal(parse(readStored(STORAGE_KEY)));
addEventListener("storage", (event) => {
  if (event.key === STORAGE_KEY) readAlerts.value = parse(event.newValue);
});

export const alertKey = ({ run_id, level, timestamp, step }: Alert): string =>
  `${run_id}/${level}/${timestamp}/${step ?? ""}`;

export const isUnread = (alert: Alert): boolean =>
  Date.parse(alert.timestamp) > readAlerts.value.until &&
  !readAlerts.value.keys.includes(alertKey(alert));

export const unreadCount = computed(() => latestAlerts.value?.alerts.filter(isUnread).length ?? 0);

export const markRead = (alert: Alert): void => save(withKeys([alert]));

/** Mark all alerts of a list as read, and those that are older than the list. */
export function markAllRead({ alerts, total }: AlertPage): void {
  const oldest = alerts.at(-1);
  const marked = withKeys(alerts);
  // A late alert may be older than others, so a complete list says nothing about older ones.
  if (oldest && total > alerts.length) {
    marked.until = Math.max(marked.until, Date.parse(oldest.timestamp) - 1);
  }
  save(marked);
}

function withKeys(alerts: Alert[]): ReadAlerts {
  const { keys, until } = readAlerts.peek();
  return { keys: [...new Set([...alerts.map(alertKey), ...keys])].slice(0, MAX_KEYS), until };
}

function save(next: ReadAlerts): void {
  readAlerts.value = next;
  store(STORAGE_KEY, JSON.stringify(next));
}

function parse(text: string | null): ReadAlerts {
  try {
    const stored: Partial<ReadAlerts> = JSON.parse(text ?? "{}");
    return {
      keys: Array.isArray(stored.keys) ? stored.keys : [],
      until: Number(stored.until) || 0,
    };
  } catch {
    return { keys: [], until: 0 };
  }
}
