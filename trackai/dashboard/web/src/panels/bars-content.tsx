// A bar for each run.

import type { BarsPanel } from "../api/views";
import { useComparedRuns } from "../compare/compared-runs";
import { runColor } from "../ui/colors";
import { CutName } from "../ui/cut-name";
import { formatValue, plural } from "../ui/format";
import { ErrorMessage, Loading } from "../ui/messages";
import { keepingView } from "../view/address";
import { Link } from "../view/link";
import { projectId } from "../view/parameters";
import { barsOf } from "./bars";

// More bars than these cannot be read; the first of the order are shown.
const MAX_BARS = 200;

export function BarsContent({ panel, runIds }: { panel: BarsPanel; runIds: number[] }) {
  const { field, order, height } = panel;
  const { runs, error } = useComparedRuns(runIds, [field]);
  if (!runs) return error ? <ErrorMessage message={error} /> : <Loading />;
  const bars = barsOf(runs, field, order);
  const missing = runs.length - bars.length;
  return (
    <>
      <ErrorMessage message={error} />
      <ol class="bars" style={{ height: `${height}px` }} tabIndex={0}>
        {bars.slice(0, MAX_BARS).map(({ run, start, end, value }) => (
          <li key={run.id} title={`${run.name}: ${value}`}>
            <Link to={keepingView({ run: run.id, project: projectId.value })} aria-label={run.name}>
              <CutName name={run.name} />
            </Link>
            <span class="track">
              <i
                style={{
                  left: `${start * 100}%`,
                  width: `${(end - start) * 100}%`,
                  background: runColor(run.id),
                }}
              />
            </span>
            <b>{formatValue(value)}</b>
          </li>
        ))}
      </ol>
      {(missing > 0 || bars.length > MAX_BARS) && (
        <p class="faint">
          {bars.length > MAX_BARS && `The first ${MAX_BARS} of ${plural(bars.length, "run")}. `}
          {missing > 0 && `${missing} of ${plural(runs.length, "run")} without a number.`}
        </p>
      )}
    </>
  );
}
