// The row of a run in the table.

import { isStalled, runName } from "../api/runs";
import { mayChange } from "../api/session";
import type { Run } from "../api/types";
import { hoverHandlers } from "../chart/hovered-line";
import { type LineStyle, runStyle, setColor } from "../ui/colors";
import { CutName } from "../ui/cut-name";
import { EditableName } from "../ui/editable-name";
import { Eye } from "../ui/eye";
import { formatValue, timeAgo } from "../ui/format";
import { Swatch } from "../ui/swatch";
import { keepingView, replaceParameters } from "../view/address";
import { Link } from "../view/link";
import { baselineId, hiddenLines } from "../view/parameters";
import { printList } from "../view/parsing";
import { shownColumns } from "../view/table-columns";
import { Difference } from "./baseline";
import { type CellStyle, cellClass, cellStyles } from "./column-styles";

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
  /** The run to compare with, if there is one. */
  baseline: Run | undefined;
  /** Changes when times such as "5 s ago" are to be rendered again. */
  clock: number;
  onToggle: (row: number, run: Run, isRange: boolean) => void;
  onRename: (id: number, name: string) => Promise<unknown>;
}

export function RunRow({ row, run, isSelected, hasLine, baseline, onToggle, onRename }: Props) {
  const name = runName(run);
  const style = runStyle(run.id);
  const lineKey = `run ${run.id}`;
  const isHidden = hasLine && hiddenLines.value.includes(lineKey);
  const toggleLine = () => {
    const others = hiddenLines.value.filter((key) => key !== lineKey);
    replaceParameters({ hide: printList(isHidden ? others : [...others, lineKey]) });
  };
  const isBaseline = baselineId.value === run.id;
  const setBaseline = () => replaceParameters({ base: isBaseline ? undefined : run.id });
  const classes = ["row", isSelected && "on", isHidden && "unlined", isBaseline && "base"].filter(
    Boolean,
  );
  const onKeyDown = (event: KeyboardEvent & { currentTarget: HTMLElement }) => {
    if (event.key === "F2") event.currentTarget.querySelector<HTMLElement>(".pencil")?.click();
    if (event.key === "b" && !isTypedInto(event)) setBaseline();
    if (!hasLine || isTypedInto(event)) return;
    if (event.key === "h") toggleLine();
    if (event.key === "c") event.currentTarget.querySelector<HTMLElement>("[type=color]")?.click();
  };
  return (
    <div
      class={classes.join(" ")}
      role="row"
      aria-rowindex={ariaRow(row)}
      onKeyDown={onKeyDown}
      {...(hasLine ? hoverHandlers(lineKey) : {})}
    >
      <span class="pick" role="cell">
        <input
          type="checkbox"
          checked={isSelected}
          aria-label={`Select ${name}`}
          style={{ accentColor: isSelected && !hasLine ? undefined : style.color }}
          onClick={(event) => onToggle(row, run, event.shiftKey)}
        />
      </span>
      <span class="cell wide" role="cell">
        {hasLine ? (
          <ColorPicker runId={run.id} name={name} style={style} />
        ) : (
          <Swatch color="transparent" dash={style.dash} />
        )}
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
        {run.archived_at && <small class="faint">archived</small>}
        <span class="row-tools">
          <button
            type="button"
            class={isBaseline ? "eye closed" : "eye"}
            aria-label={
              isBaseline ? `Stop comparing with ${name}` : `Compare the others with ${name}`
            }
            aria-keyshortcuts="B"
            aria-pressed={isBaseline}
            title={isBaseline ? "The baseline (B to reset)" : "Make it the baseline (B)"}
            tabIndex={-1}
            onClick={setBaseline}
          >
            Δ
          </button>
          {hasLine && <Eye name={name} isHidden={isHidden} onToggle={toggleLine} />}
        </span>
      </span>
      {shownColumns.value.map((field) => (
        <ValueCell
          key={field}
          field={field}
          run={run}
          baseline={isBaseline ? undefined : baseline}
        />
      ))}
    </div>
  );
}

interface CellProps {
  field: string;
  run: Run;
  /** The run that the value is compared with. */
  baseline: Run | undefined;
}

function ValueCell({ field, run, baseline }: CellProps) {
  const cell = {
    class: cellClass(field),
    style: cellStyles.value.get(field),
    role: "cell",
  } as const;
  if (field === "state") return <StateCell run={run} cell={cell} />;
  if (field === "created_at") {
    return (
      <span {...cell} title={run.created_at}>
        {timeAgo(run.created_at)}
      </span>
    );
  }
  const value = run.values?.[field];
  return (
    <span {...cell} title={String(value ?? "")}>
      {formatValue(value)}
      {baseline && <Difference value={value} base={baseline.values?.[field]} />}
    </span>
  );
}

const StateCell = ({
  run,
  cell,
}: {
  run: Run;
  cell: { class: string; style: CellStyle; role: "cell" };
}) => (
  <span
    {...cell}
    class={`${cell.class} ${run.state}`}
    title={run.state === "running" ? `Last seen ${timeAgo(run.updated_at)}` : undefined}
  >
    {isStalled(run) ? (
      <>
        stalled <small>{timeAgo(run.updated_at).replace(" ago", "")}</small>
      </>
    ) : (
      run.state
    )}
  </span>
);

/** Whether a key belongs to a text, or to a shortcut of the browser. */
const isTypedInto = ({ target, ctrlKey, metaKey, altKey }: KeyboardEvent): boolean =>
  ctrlKey ||
  metaKey ||
  altKey ||
  (target instanceof HTMLInputElement && target.type !== "checkbox");

interface ColorProps {
  runId: number;
  name: string;
  style: LineStyle;
}

/** The swatch of a line, which sets its colour; a double click resets it. */
const ColorPicker = ({ runId, name, style }: ColorProps) => (
  <label
    class="colour"
    title="Set the colour (C); double-click for the default"
    onDblClick={() => setColor(runId, undefined)}
  >
    <Swatch {...style} />
    <input
      type="color"
      class="unseen"
      tabIndex={-1}
      aria-label={`Colour of ${name}`}
      aria-keyshortcuts="C"
      value={style.color}
      onChange={(event) => setColor(runId, event.currentTarget.value)}
    />
  </label>
);

const Tags = ({ tags }: { tags: string[] }) =>
  tags.length > 0 ? (
    <span class="tags" title={tags.join(", ")}>
      <span>
        <em class="tag">{tags[0]}</em>
        {tags.length > 1 && `+${tags.length - 1}`}
      </span>
    </span>
  ) : null;
