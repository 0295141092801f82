// The groups that the selected runs form: each is one line where means are shown.

import { getGroupMembers } from "../api/charts";
import { usePolled } from "../api/polling";
import type { GroupMembers } from "../api/types";

/** The groups by a field, in the order of their lines; none without a field. */
export function useGroupMembers(runIds: number[], groupBy: string): GroupMembers[] {
  const isGrouped = groupBy !== "" && runIds.length > 0;
  const { data = [] } = usePolled(
    async () => (isGrouped ? getGroupMembers(runIds, groupBy) : []),
    groupBy ? 5000 : 0,
    [runIds.join(), groupBy],
  );
  return data;
}
