// The runs within the ranges, and the table of only these.

import { makeAxis } from "../compare/axis";
import type { Brush } from "../compare/brush";
import type { ComparedRun } from "../compare/compared-runs";
import { grouped, plural } from "../ui/format";
import { keepingView, replaceParameters } from "../view/address";
import { Link } from "../view/link";
import { filter } from "../view/parameters";
import { rangeCondition, withConditions } from "./brush-filter";

interface Props {
  id: number;
  runs: ComparedRun[];
  brushed: ComparedRun[];
  brushes: Brush[];
}

export function RangeLinks({ id, runs, brushed, brushes }: Props) {
  const conditions = brushes.map((brush) =>
    rangeCondition(brush, makeAxis(runs, brush.field, { tickCount: 5 }), runs),
  );
  const narrowed = withConditions(filter.value, conditions);
  return (
    <p class="kept">
      <output>
        {grouped(brushed.length)} of {plural(runs.length, "run")} in range
      </output>
      {narrowed !== undefined && (
        <>
          <button
            type="button"
            onClick={() => replaceParameters({ filter: narrowed, brush: undefined })}
          >
            Analyse only these
          </button>
          <Link to={{ ...keepingView({ project: id }), filter: narrowed }}>Show in the table</Link>
        </>
      )}
      <button type="button" onClick={() => replaceParameters({ brush: undefined })}>
        Clear ranges
      </button>
    </p>
  );
}
