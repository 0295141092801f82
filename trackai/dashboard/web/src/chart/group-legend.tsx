// The legend of charts that show means of groups.

import type { ChoiceBody } from "../api/types";
import { slotStyle } from "../ui/colors";
import { plural } from "../ui/format";
import { Swatch } from "../ui/swatch";
import { meanBy } from "../view/parameters";
import { groupLabel } from "./lines";
import { chartedGroups, useGroupMembers } from "./use-group-members";

export function GroupLegend({ choice }: { choice: ChoiceBody }) {
  const all = useGroupMembers(choice, meanBy.value);
  const groups = chartedGroups(all);
  const names = groups.map((group) => (meanBy.value === "all" ? "all" : groupLabel(group.value)));
  return (
    <p class="means" title={names.join(", ")}>
      {groups.map((group, slot) => (
        <span key={slot}>
          <Swatch {...slotStyle(slot)} /> {names[slot]}{" "}
          <small>{plural(group.run_ids.length, "run")}</small>
        </span>
      ))}
      {all.length > groups.length && (
        <small class="faint">
          The largest {groups.length} of {plural(all.length, "group")}
        </small>
      )}
    </p>
  );
}
