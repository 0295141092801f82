// The button with the number of unread alerts, and the requests that notice new ones.

import { useEffect, useState } from "preact/hooks";
import { usePolled } from "../api/polling";
import { ownChanges } from "../api/runs";
import { listAlerts } from "../api/search";
import { plural } from "../ui/format";
import { openDialog } from "./state";
import { latestAlerts, unreadCount } from "./unread";

const POLL_MS = 15_000;
// The charts of the page come first.
const DELAY_MS = 1000;
const LIMIT = 100;

export function AlertsButton() {
  usePolledAlerts();
  const count = unreadCount.value;
  const shown = count >= LIMIT ? `${LIMIT - 1}+` : String(count);
  return (
    <>
      <button
        type="button"
        class="icon-button"
        title="Alerts (A)"
        aria-label={count > 0 ? `Alerts, ${shown} unread` : "Alerts"}
        onClick={() => {
          openDialog.value = "alerts";
        }}
      >
        <svg viewBox="0 0 16 16" width="15" height="15" aria-hidden="true">
          <path
            d="M8 1.5a4 4 0 0 0-4 4v3L2.5 11v1h11v-1L12 8.5v-3a4 4 0 0 0-4-4z"
            fill="currentColor"
          />
          <path d="M6.5 13.2a1.5 1.5 0 0 0 3 0z" fill="currentColor" />
        </svg>
        {count > 0 && <span class="badge">{shown}</span>}
      </button>
      <span class="sr-only" role="status">
        {count > 0 ? plural(count, "unread alert") : ""}
      </span>
    </>
  );
}

function usePolledAlerts(): void {
  const [hasBegun, setBegun] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setBegun(true), DELAY_MS);
    return () => clearTimeout(timer);
  }, []);
  const { data } = usePolled(
    async () => (hasBegun ? listAlerts({ limit: LIMIT }) : undefined),
    hasBegun ? POLL_MS : 0,
    [hasBegun, ownChanges.value],
  );
  useEffect(() => {
    if (data) latestAlerts.value = data;
  }, [data]);
}
