// The latest alerts of all projects, with links to where they were reported.

import { useState } from "preact/hooks";
import { usePolled } from "../api/polling";
import { listAlerts } from "../api/search";
import type { Alert, AlertPage } from "../api/types";
import { Checkbox, Select } from "../ui/controls";
import { formatDateTime, plural, timeAgo } from "../ui/format";
import { ErrorMessage } from "../ui/messages";
import { Modal } from "../ui/modal";
import { crumbs } from "../view/crumbs";
import { Link } from "../view/link";
import { alertKey, isUnread, latestAlerts, markAllRead, markRead } from "./unread";

const LIMIT = 200;
const POLL_MS = 5000;
const LEVELS = ["info", "warn", "error"];

export function AlertsDialog({ onClose }: { onClose: () => void }) {
  const [level, setLevel] = useState("");
  const [isHere, setHere] = useState(false);
  const { projectId, project } = crumbs.value;
  const [archived, setArchived] = useState(false);
  const filter = { level, project_id: isHere ? projectId : undefined, archived };
  const { data, error } = usePolled(
    () => listAlerts({ ...filter, limit: LIMIT }),
    POLL_MS,
    Object.values(filter),
  );
  const page = data ?? (level || isHere || archived ? undefined : latestAlerts.value);
  return (
    <Modal title="Alerts" class="alerts" hasHead onClose={onClose}>
      <div class="tools">
        <Select label="Level" value={level} onSelect={setLevel}>
          <option value="">all</option>
          {LEVELS.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </Select>
        {projectId !== undefined && (
          <Checkbox checked={isHere} onChange={setHere}>
            Only {project ?? "this project"}
          </Checkbox>
        )}
        {page && page.alerts.length > 0 && (
          <button
            type="button"
            disabled={!page.alerts.some(isUnread)}
            onClick={() => markAllRead(page)}
          >
            Mark all as read
          </button>
        )}
      </div>
      <ErrorMessage message={error} />
      {page ? (
        <AlertList page={page} isFiltered={level !== "" || isHere} onFollow={onClose} />
      ) : (
        !error && <p class="empty">Loading…</p>
      )}
      {(archived || (page?.archived ?? 0) > 0) && (
        <p class="count">
          {archived ? "With the alerts of archived runs " : `${leftOut(page)} not shown `}
          <button type="button" onClick={() => setArchived(!archived)}>
            {archived ? "Hide them" : "Show them"}
          </button>
        </p>
      )}
    </Modal>
  );
}

interface ListProps {
  page: AlertPage;
  /** Whether only some alerts are asked for. */
  isFiltered: boolean;
  onFollow: () => void;
}

function AlertList({ page, isFiltered, onFollow }: ListProps) {
  const { alerts, total, archived } = page;
  if (alerts.length === 0 && (isFiltered || archived > 0)) {
    return <p class="empty">No alerts{isFiltered ? " match" : " of other runs"}.</p>;
  }
  if (alerts.length === 0) {
    return <p class="empty">No alerts. Report one with {'run.alert("title", "text")'}.</p>;
  }
  return (
    <>
      <ul class="alert-list" tabIndex={0} aria-label="Latest alerts">
        {alerts.map((alert) => (
          <AlertItem key={alertKey(alert)} alert={alert} onFollow={onFollow} />
        ))}
      </ul>
      {total > alerts.length && (
        <p class="count">
          The latest {alerts.length} of {plural(total, "alert")}
        </p>
      )}
    </>
  );
}

function AlertItem({ alert, onFollow }: { alert: Alert; onFollow: () => void }) {
  const { level, title, text, is_cut, step, timestamp, run, project, project_id, run_id } = alert;
  const unread = isUnread(alert);
  const follow = () => {
    markRead(alert);
    onFollow();
  };
  const place = { project: project_id, run: run_id, tab: "logs", log: `alerts/${level}` };
  return (
    <li class={unread ? "unread" : ""}>
      <span class={`level ${LEVELS.includes(level) ? level : "info"}`}>{level}</span>
      <div>
        {/* biome-ignore lint/a11y/noStaticElementInteractions: what it contains is a link */}
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: Enter clicks a link */}
        <span onClick={follow}>
          <Link to={{ ...place, at: String(step ?? timestamp) }}>{title || "(no title)"}</Link>
        </span>
        {unread && <span class="sr-only"> (unread)</span>}
        {text && <p class="alert-text">{text}</p>}
        {is_cut && <p class="faint">Cut here; the log has all of it.</p>}
        <p class="faint">
          {project} · {run}
          {step !== null && ` · step ${step}`} ·{" "}
          <time dateTime={timestamp} title={formatDateTime(Date.parse(timestamp) / 1000)}>
            {timeAgo(timestamp)}
          </time>
        </p>
      </div>
      {unread && (
        <button
          type="button"
          class="icon-button"
          aria-label={`Mark ${title} as read`}
          title="Mark as read"
          onClick={() => markRead(alert)}
        >
          ✓
        </button>
      )}
    </li>
  );
}

const leftOut = (page: AlertPage | undefined): string => {
  const { archived = 0, archived_runs: runs = 0 } = page ?? {};
  return `${plural(archived, "alert")} of ${plural(runs, "archived run")}`;
};
