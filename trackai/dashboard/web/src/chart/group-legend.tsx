// The legend of charts that show means of groups.

import { slotStyle } from "../ui/colors";
import { plural } from "../ui/format";
import { Swatch } from "../ui/swatch";
import { meanBy } from "../view/parameters";
import { groupLabel } from "./lines";
import { useGroupMembers } from "./use-group-members";

export function GroupLegend({ runIds }: { runIds: number[] }) {
  const groups = useGroupMembers(runIds, meanBy.value);
  const names = groups.map((group) => (meanBy.value === "all" ? "all" : groupLabel(group.value)));
  return (
    <p class="means" title={names.join(", ")}>
      {groups.map((group, slot) => (
        <span key={slot}>
          <Swatch {...slotStyle(slot)} /> {names[slot]}{" "}
          <small>{plural(group.run_ids.length, "run")}</small>
        </span>
      ))}
    </p>
  );
}
