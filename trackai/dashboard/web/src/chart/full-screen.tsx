// A chart on the whole screen, with a legend.

import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { formatNumber } from "../ui/format";
import { Swatch } from "../ui/swatch";
import { extent } from "../ui/values";
import { replaceParameters } from "../view/address";
import { hiddenLines } from "../view/parameters";
import { printList } from "../view/parsing";
import { ExportMenu } from "./export-menu";
import { closeFullScreen } from "./full-screen-history";
import { HiddenValues } from "./hidden-values";
import type { Line } from "./lines";
import { type ChartProps, Plot } from "./plot";
import { ResetButtons } from "./reset-buttons";
import { type DrawnChart, describeHidden } from "./y-range";
import { YRangeForm } from "./y-range-form";

const plotHeight = () => Math.max(220, innerHeight - 190);

export function FullScreen({ tools, ...props }: ChartProps & { tools: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const drawn = useRef<DrawnChart>();
  const [lines, setLines] = useState<Line[]>([]);
  const [hiddenValues, setHiddenValues] = useState("");
  const [height, setHeight] = useState(plotHeight());
  // Before the plot measures its width.
  useLayoutEffect(() => dialog.current?.showModal(), []);
  useEffect(() => {
    const onResize = () => setHeight(plotHeight());
    addEventListener("resize", onResize);
    return () => removeEventListener("resize", onResize);
  }, []);
  const onDrawn = (chart: DrawnChart) => {
    drawn.current = chart;
    setLines(chart.allLines);
    setHiddenValues(describeHidden(chart.yRange, chart.allLines));
  };
  return (
    <dialog class="full chart" ref={dialog} aria-label={props.path} onClose={closeFullScreen}>
      <header>
        <h2>{props.path}</h2>
        <HiddenValues text={hiddenValues} />
        <ResetButtons runIds={props.runIds} />
        <YRangeForm path={props.path} />
        <ExportMenu {...props} drawn={drawn} />
        <button
          type="button"
          class="quiet"
          aria-label="Close"
          title="Close"
          onClick={() => dialog.current?.close()}
        >
          ✕
        </button>
      </header>
      <form class="tools" onSubmit={(event) => event.preventDefault()}>
        {tools}
      </form>
      <Plot {...props} live height={height} onDrawn={onDrawn} />
      <ul class="legend">
        {lines.map((line) => (
          <LegendEntry key={`${line.key} ${line.metric}`} line={line} isOnly={lines.length === 1} />
        ))}
      </ul>
    </dialog>
  );
}

function LegendEntry({ line, isOnly }: { line: Line; isOnly: boolean }) {
  const range = extent([...(line.low ?? []), ...(line.high ?? []), ...line.y]);
  const isShown = !hiddenLines.value.includes(line.key);
  const otherHidden = hiddenLines.value.filter((key) => key !== line.key);
  const toggle = () =>
    replaceParameters({ hide: printList(isShown ? [...otherHidden, line.key] : otherHidden) });
  return (
    <li>
      <button
        type="button"
        aria-pressed={isShown}
        disabled={isOnly}
        title={`${line.label}\n${isShown ? "Hide in charts" : "Show in charts"}`}
        onClick={toggle}
      >
        <Swatch color={line.color} dash={line.dash} />
        <span>{line.label}</span>{" "}
        <small>{range?.map((end) => formatNumber(end)).join(" … ")}</small>
      </button>
    </li>
  );
}
