// The facts about a run: state, times, host, forks, tags and notes.

import type { ComponentChildren } from "preact";
import { describeRun, isStalled, runName } from "../api/runs";
import { mayChange } from "../api/session";
import type { Fork, Process, Run, RunDetails } from "../api/types";
import { EditableText } from "../ui/editable-text";
import { formatDuration, plural, timeAgo } from "../ui/format";
import { Markdown } from "../ui/markdown";
import { keepingView } from "../view/address";
import { Link } from "../view/link";

const Fact = ({ name, children }: { name: string; children: ComponentChildren }) => (
  <>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </>
);

const Time = ({ at }: { at: string }) => <time title={at}>{timeAgo(at)}</time>;

interface Props {
  run: Run;
  details: RunDetails | undefined;
  /** Called after a change of the run. */
  onChange: () => void;
}

export function RunSummary({ run, details, onChange }: Props) {
  const saving = (toChange: (text: string) => Parameters<typeof describeRun>[1]) =>
    mayChange.value
      ? (text: string) => describeRun(run.id, toChange(text)).then(onChange)
      : undefined;
  const isRunning = run.state === "running";
  return (
    <dl class="about-run">
      <Fact name="State">
        <span class={`state ${run.state}`}>{run.state}</span>
        <span class="faint"> {!isRunning && run.finished_at && <Time at={run.finished_at} />}</span>
      </Fact>
      {isRunning && (
        <Fact name="Last seen">
          <Time at={run.updated_at} />
          {isStalled(run) && <span class="problem"> stalled?</span>}
        </Fact>
      )}
      <Fact name="Started">
        <Time at={run.created_at} />
      </Fact>
      <Fact name="Duration">
        {formatDuration(secondsOf(run))}
        {isRunning && " so far"}
      </Fact>
      {details && <Host state={run.state} processes={details.processes} />}
      {details?.forked_from && (
        <Fact name="Forked from">
          <ForkLink fork={details.forked_from} />
        </Fact>
      )}
      {details && details.forks.length > 0 && (
        <Fact name="Forks">
          {details.forks.map((fork) => (
            <div key={fork.uid}>
              <ForkLink fork={fork} />
            </div>
          ))}
        </Fact>
      )}
      {run.group_name && <Fact name="Group">{run.group_name}</Fact>}
      {(run.tags.length > 0 || mayChange.value) && (
        <Fact name="Tags">
          <EditableText
            label="tags, one on each line"
            text={run.tags.join("\n")}
            multiline
            onSave={saving((text) => ({ tags: splitTags(text) }))}
          >
            {run.tags.map((tag) => (
              <em class="tag" key={tag}>
                {tag}
              </em>
            ))}
          </EditableText>
        </Fact>
      )}
      {(run.notes || mayChange.value) && (
        <>
          <dt>Notes</dt>
          <dd>
            <EditableText
              label="notes"
              text={run.notes ?? ""}
              multiline
              onSave={saving((text) => ({ notes: text || null }))}
            >
              {run.notes && (
                <div class="notes">
                  <Markdown text={run.notes} />
                </div>
              )}
            </EditableText>
          </dd>
        </>
      )}
    </dl>
  );
}

const splitTags = (text: string): string[] =>
  text
    .split("\n")
    .map((tag) => tag.trim())
    .filter(Boolean);

function secondsOf(run: Run): number {
  const now = run.state === "running" ? new Date().toISOString() : run.updated_at;
  return (Date.parse(run.finished_at ?? now) - Date.parse(run.created_at)) / 1000;
}

/** The host of the latest attempt, and the processes of a distributed run. */
function Host({ state, processes }: { state: Run["state"]; processes: Process[] }) {
  const main = processes.find((process) => process.rank === 0) ?? processes[0];
  if (!main) return null;
  const isDistributed = processes.length > 1;
  const keys = [...new Set(processes.flatMap(({ key }) => key ?? []))].sort();
  const failed = processes.filter(
    (process) => process.state === "failed" && process.attempt === main.attempt,
  );
  return (
    <>
      {main.host && (
        <>
          <dt>Host</dt>
          <dd title={`Process ${main.pid}`}>
            {main.host}
            {main.attempt > 1 && <span class="faint">, attempt {main.attempt}</span>}
            {isDistributed && <ProcessList processes={processes} />}
          </dd>
        </>
      )}
      {keys.length > 0 && (
        <Fact name="Logged with">
          {keys.length === 1 ? "key" : "keys"} {keys.join(", ")}
        </Fact>
      )}
      {state === "failed" && failed.length > 0 && isDistributed && (
        <Fact name="Failed">
          {failed.map(({ rank, host }) => `rank ${rank} on ${host}`).join(", ")}
        </Fact>
      )}
    </>
  );
}

const ProcessList = ({ processes }: { processes: Process[] }) => (
  <details>
    <summary>{plural(processes.length, "process", "processes")}</summary>
    <ul>
      {processes.map(({ attempt, rank, host, pid, state }) => (
        <li key={`${attempt} ${rank} ${pid}`}>
          attempt {attempt}, rank {rank}: {host}, process {pid}
          {state && <span class={`state ${state}`}> {state}</span>}
        </li>
      ))}
    </ul>
  </details>
);

function ForkLink({ fork: { run, step, uid } }: { fork: Fork }) {
  const atStep = step === null ? "" : ` at step ${step}`;
  if (!run) return <span title={uid}>a run outside this database{atStep}</span>;
  return (
    <>
      <Link to={keepingView({ run: run.id, project: run.project_id })}>{runName(run)}</Link>
      <span class="faint">
        {run.name && run.name !== run.run_id && ` (${run.run_id})`}
        {atStep}
      </span>
    </>
  );
}
