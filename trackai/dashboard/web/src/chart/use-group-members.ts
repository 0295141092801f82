// The groups that the chosen runs form: each is one line where means are shown.

import { getGroupMembers } from "../api/charts";
import { usePolled } from "../api/polling";
import type { ChoiceBody, GroupMembers } from "../api/types";

// The server charts so many groups, the largest.
const MAX_GROUPS = 100;

/** The groups by a field, in order of value; none without a field. */
export function useGroupMembers(choice: ChoiceBody | undefined, groupBy: string): GroupMembers[] {
  const { data = [] } = usePolled(
    async () => (choice && groupBy ? getGroupMembers(choice, groupBy) : []),
    groupBy ? 5000 : 0,
    [JSON.stringify(choice), groupBy],
  );
  return data;
}

/** The groups that charts show, in the order of their lines. */
export function chartedGroups(groups: GroupMembers[]): GroupMembers[] {
  if (groups.length <= MAX_GROUPS) return groups;
  const bySize = [...groups].sort((left, right) => right.run_ids.length - left.run_ids.length);
  const largest = new Set(bySize.slice(0, MAX_GROUPS));
  return groups.filter((group) => largest.has(group));
}
