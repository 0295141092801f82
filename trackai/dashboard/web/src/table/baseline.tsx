// The run that the others in the table are compared with.

import { usePolled } from "../api/polling";
import { rememberNames } from "../api/run-names";
import { idFilter, listRuns } from "../api/runs";
import type { Run, Value } from "../api/types";
import { formatNumber } from "../ui/format";
import { isNumber } from "../ui/values";
import { baselineId, columns } from "../view/parameters";

const POLL_MS = 5000;

/** The baseline with the values of the columns; undefined without one, null if it is not found. */
export function useBaseline(): Run | null | undefined {
  const id = baselineId.value;
  const fields = columns.value.join(",");
  const { data } = usePolled(
    async () => {
      if (id === undefined) return undefined;
      const query = { filter: idFilter([id]), columns: fields, limit: 1, offset: 0 };
      const { runs } = await listRuns(query);
      rememberNames(runs);
      return runs[0] ?? null;
    },
    id === undefined ? 0 : POLL_MS,
    [id, fields],
  );
  return id === undefined ? undefined : data;
}

/** How much a value is above or below that of the baseline; nothing unless both are numbers. */
export function Difference({ value, base }: { value: Value | undefined; base: Value | undefined }) {
  const text = difference(value, base);
  return text ? <small class="difference">{text}</small> : null;
}

/** The difference with its sign, exact for integers; "" unless both values are numbers. */
export function difference(value: Value | undefined, base: Value | undefined): string {
  if (!isNumber(value) || !isNumber(base)) return "";
  const isExact = [value, base].every(
    (each) => typeof each === "bigint" || Number.isSafeInteger(each),
  );
  const change = isExact ? BigInt(value) - BigInt(base) : Number(value) - Number(base);
  const sign = change > 0 ? "+" : change < 0 ? "−" : "±";
  const size = change < 0 ? -change : change;
  return sign + (typeof size === "bigint" ? String(size) : formatNumber(size, 3));
}
