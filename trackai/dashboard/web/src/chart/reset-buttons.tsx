// Buttons that show hidden lines and reset the zoom.

import { formatNumber, formatTime, plural } from "../ui/format";
import { replaceParameters } from "../view/address";
import { hiddenLines, meanBy, zoomRange } from "../view/parameters";
import { type AxisRange, printList } from "../view/parsing";
import { metricOfAxis } from "./metric-axis";
import { resetZoom } from "./zoom";

export function ResetButtons({ runIds }: { runIds: number[] }) {
  // Only the lines that the charts would show: those of groups or those of runs.
  const prefix = runIds.length > 1 && meanBy.value ? "group " : "run ";
  const hidden = hiddenLines.value.filter((key) => key.startsWith(prefix));
  const showHidden = () => {
    const others = hiddenLines.value.filter((key) => !hidden.includes(key));
    replaceParameters({ hide: printList(others) });
  };
  return (
    <>
      {hidden.length > 0 && (
        <button type="button" class="pressed" onClick={showHidden}>
          Show {plural(hidden.length, "hidden line")}
        </button>
      )}
      {zoomRange.value && (
        <button type="button" class="pressed" onClick={resetZoom}>
          Reset zoom <small>{describeRange(zoomRange.value)}</small>
        </button>
      )}
    </>
  );
}

export function describeRange({ axis, min, max }: AxisRange): string {
  const metric = metricOfAxis(axis);
  const describe = (value: number) => {
    if (metric !== undefined) return formatNumber(value);
    if (axis === "time") return formatTime(value);
    if (axis === "step") return formatNumber(Math.round(value * 100) / 100);
    return `${formatNumber(value)} s`;
  };
  const ends = [...new Set([describe(min), describe(max)])].join(" – ");
  return axis === "step" || metric !== undefined ? `${metric ?? axis} ${ends}` : ends;
}
