// A row of the table of runs: of one run, or of a group of them.

import type * as api from "./api";
import { Swatch } from "./card";
import { color, dash } from "./colors";
import { ago, value } from "./format";
import { Rename } from "./rename";
import type { Section } from "./sections";
import type { Stroke } from "./together";
import { address, columns, follow, go, openGroups, within } from "./view";

// As many as are chosen at once: more lines are not looked at, and the address holds each.
export const ALL = 200;

interface GroupProps {
  at: number;
  section: Section;
  group: api.RunGroup;
  /** How many of its runs are. */
  chosen: number;
  /** How their mean is drawn, where it is. */
  line: Stroke | undefined;
  onChoose: (on: boolean) => void;
}

export function GroupRow({ at, section, group, chosen, line, onChoose }: GroupProps) {
  const toggle = () => {
    const others = openGroups.value.filter((one) => one !== group.filter);
    go({ open: (section.open ? others : [...others, group.filter]).join("\n") }, { replace: true });
  };
  const name = group.value === null ? "none" : value(group.value);
  const every = chosen >= Math.min(group.runs, ALL);
  return (
    <div class="row group" role="row" aria-rowindex={at + 2}>
      <span class="pick" role="cell">
        <input
          type="checkbox"
          checked={every}
          indeterminate={chosen > 0 && !every}
          aria-label={`Show the runs of ${name} in the charts`}
          onChange={() => onChoose(!every)}
        />
      </span>
      <span class="cell name" role="cell" aria-colspan={2}>
        <button type="button" aria-expanded={section.open} onClick={toggle} title={group.filter}>
          <span class="turn" aria-hidden="true">
            ▸
          </span>
          {line && <Line {...line} />}
          <b>{name}</b>
          <small>
            {group.runs.toLocaleString()} {group.runs === 1 ? "run" : "runs"}
          </small>
        </button>
      </span>
      {columns.value.map((field) => (
        <span class="cell number" role="cell" key={field} title={`mean of ${field}`}>
          {typeof group.means[field] === "number" && (
            <>
              <small aria-label="mean">⌀</small> {value(group.means[field])}
            </>
          )}
        </span>
      ))}
      <span class="cell created" role="cell" />
    </div>
  );
}

const Line = ({ color, dash }: Stroke) => <Swatch color={color} dashed={dash.length > 0} />;

interface RowProps {
  at: number;
  run: api.Run | undefined;
  chosen: number[];
  /** Whether the lines are means, and no run has one of its own. */
  means: boolean;
  onChoose: (at: number, run: api.Run, far: boolean) => void;
  onRename: (id: number, name: string) => Promise<unknown>;
}

export function Row({ at, run, chosen, means, onChoose, onRename }: RowProps) {
  if (!run)
    return (
      <div class="row waiting" role="row" aria-rowindex={at + 2}>
        <span class="cell" role="cell" />
      </div>
    );
  const on = chosen.includes(run.id);
  const name = run.name ?? run.run_id;
  const there = within({ run: run.id, project: run.project_id });
  const renames = (event: KeyboardEvent & { currentTarget: HTMLElement }) => {
    if (event.key === "F2") event.currentTarget.querySelector<HTMLElement>(".pencil")?.click();
  };
  return (
    <div class={on ? "row on" : "row"} role="row" aria-rowindex={at + 2} onKeyDown={renames}>
      <span class="pick" role="cell">
        <input
          type="checkbox"
          checked={on}
          aria-label={`Show ${name} in the charts`}
          style={{ accentColor: means ? undefined : color(run.id) }}
          onClick={(event) => onChoose(at, run, event.shiftKey)}
        />
      </span>
      <span class="cell wide" role="cell">
        <Line color={on && !means ? color(run.id) : "transparent"} dash={dash(run.id)} />
        <Rename name={name} onRename={(next) => onRename(run.id, next)} shortcut="F2">
          <a
            href={address(there, false)}
            title={run.run_id}
            onClick={(event) => follow(event, there)}
          >
            {name}
          </a>
        </Rename>
        {run.tags.length > 0 && (
          <span class="tags" title={run.tags.join(", ")}>
            <span>
              <em class="tag">{run.tags[0]}</em>
              {run.tags.length > 1 && `+${run.tags.length - 1}`}
            </span>
          </span>
        )}
      </span>
      <span class={`cell state ${run.state}`} role="cell">
        {run.state}
      </span>
      {columns.value.map((field) => (
        <span class="cell number" role="cell" key={field} title={String(run.values?.[field] ?? "")}>
          {value(run.values?.[field])}
        </span>
      ))}
      <span class="cell created" role="cell" title={run.created_at}>
        {ago(run.created_at)}
      </span>
    </div>
  );
}
