// The row of a run in the table.

import { runName } from "../api/runs";
import { mayChange } from "../api/session";
import type { Run } from "../api/types";
import { runStyle } from "../ui/colors";
import { CutName } from "../ui/cut-name";
import { EditableName } from "../ui/editable-name";
import { formatValue, timeAgo } from "../ui/format";
import { Swatch } from "../ui/swatch";
import { keepingView } from "../view/address";
import { Link } from "../view/link";
import { columns } from "../view/parameters";

// The header is the first row for assistive technology, which counts from 1.
export const ariaRow = (row: number): number => row + 2;

export const PlaceholderRow = ({ row }: { row: number }) => (
  <div class="row waiting" role="row" aria-rowindex={ariaRow(row)}>
    <span class="cell" role="cell" />
  </div>
);

interface Props {
  row: number;
  run: Run;
  isSelected: boolean;
  /** Whether charts show a line of the run. */
  hasLine: boolean;
  onToggle: (row: number, run: Run, isRange: boolean) => void;
  onRename: (id: number, name: string) => Promise<unknown>;
}

export function RunRow({ row, run, isSelected, hasLine, onToggle, onRename }: Props) {
  const name = runName(run);
  const style = runStyle(run.id);
  const onKeyDown = (event: KeyboardEvent & { currentTarget: HTMLElement }) => {
    if (event.key === "F2") event.currentTarget.querySelector<HTMLElement>(".pencil")?.click();
  };
  return (
    <div
      class={isSelected ? "row on" : "row"}
      role="row"
      aria-rowindex={ariaRow(row)}
      onKeyDown={onKeyDown}
    >
      <span class="pick" role="cell">
        <input
          type="checkbox"
          checked={isSelected}
          aria-label={`Show ${name} in the charts`}
          style={{ accentColor: isSelected && !hasLine ? undefined : style.color }}
          onClick={(event) => onToggle(row, run, event.shiftKey)}
        />
      </span>
      <span class="cell wide" role="cell">
        <Swatch color={hasLine ? style.color : "transparent"} dash={style.dash} />
        <EditableName
          name={name}
          onRename={mayChange.value ? (text) => onRename(run.id, text) : undefined}
          shortcut="F2"
        >
          <Link
            to={keepingView({ run: run.id, project: run.project_id })}
            aria-label={name}
            title={name === run.run_id ? name : `${name}\n${run.run_id}`}
          >
            <CutName name={name} />
          </Link>
        </EditableName>
        <Tags tags={run.tags} />
      </span>
      <span class={`cell state ${run.state}`} role="cell">
        {run.state}
      </span>
      {columns.value.map((field) => (
        <span class="cell number" role="cell" key={field} title={String(run.values?.[field] ?? "")}>
          {formatValue(run.values?.[field])}
        </span>
      ))}
      <span class="cell created" role="cell" title={run.created_at}>
        {timeAgo(run.created_at)}
      </span>
    </div>
  );
}

const Tags = ({ tags }: { tags: string[] }) =>
  tags.length > 0 ? (
    <span class="tags" title={tags.join(", ")}>
      <span>
        <em class="tag">{tags[0]}</em>
        {tags.length > 1 && `+${tags.length - 1}`}
      </span>
    </span>
  ) : null;
