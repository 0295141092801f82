// The row of a group of runs in the table.

import type { GroupValue, RunGroup } from "../api/types";
import { hoverHandlers } from "../chart/hovered-line";
import type { LineStyle } from "../ui/colors";
import { formatValue, plural } from "../ui/format";
import { Swatch } from "../ui/swatch";
import { valueKey } from "../ui/values";
import { replaceParameters } from "../view/address";
import { openGroups } from "../view/parameters";
import { printList } from "../view/parsing";
import { isFixed, pinnedColumns, shownColumns } from "../view/table-columns";
import { cellClass, cellStyles, widthOf } from "./column-styles";
import { ariaRow } from "./run-row";
import type { Extent } from "./use-selection";

interface Props {
  row: number;
  group: RunGroup;
  isOpen: boolean;
  /** How much of the group is chosen. */
  chosen: Extent;
  /** The line of the group's mean, if charts show it. */
  line: LineStyle | undefined;
  onToggle: () => void;
}

const groupName = (value: GroupValue): string =>
  Array.isArray(value)
    ? value.map(groupName).join(" · ")
    : value === null
      ? "none"
      : formatValue(value);

export function GroupRow({ row, group, isOpen, chosen, line, onToggle }: Props) {
  const { filter, runs, means } = group;
  const toggleOpen = () => {
    const others = openGroups.value.filter((open) => open !== filter);
    replaceParameters({ open: printList(isOpen ? others : [...others, filter]) });
  };
  const name = groupName(group.value);
  // A group has no state: its name takes the place, unless the column is elsewhere.
  const [first, ...rest] = shownColumns.value;
  const spansState = first === "state" && !pinnedColumns.value.includes("state");
  const cells = spansState ? rest : shownColumns.value;
  return (
    <div
      class="row group"
      role="row"
      aria-rowindex={ariaRow(row)}
      {...(line ? hoverHandlers(`group ${valueKey(group.value)}`) : {})}
    >
      <span class="pick" role="cell">
        <input
          type="checkbox"
          checked={chosen === "all"}
          indeterminate={chosen === "some"}
          aria-label={`Select the runs of ${name}`}
          onChange={onToggle}
        />
      </span>
      <span
        class="cell name"
        role="cell"
        aria-colspan={spansState ? 2 : 1}
        style={{ "--state": `${spansState ? widthOf("state") : 0}px` }}
      >
        <button type="button" aria-expanded={isOpen} onClick={toggleOpen} title={filter}>
          <span class="turn" aria-hidden="true">
            ▸
          </span>
          {line && <Swatch {...line} />}
          <b>{name}</b>
          <small>{plural(runs, "run")}</small>
        </button>
      </span>
      {cells.map((field) => (
        <span
          class={cellClass(field)}
          style={cellStyles.value.get(field)}
          role="cell"
          key={field}
          title={isFixed(field) ? undefined : `Mean of ${field}`}
        >
          {typeof means[field] === "number" && (
            <>
              <span class="mean" role="img" aria-label="mean">
                ⌀
              </span>{" "}
              {formatValue(means[field])}
            </>
          )}
        </span>
      ))}
    </div>
  );
}
