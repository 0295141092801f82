// What a panel shows.

import { useRef } from "preact/hooks";
import type { BarsPanel, LinesPanel, Panel, ScatterPanel, TextPanel } from "../api/views";
import { Card } from "../chart/card";
import type { BoardProps } from "../chart/chart-list";
import { axisOfMetric } from "../chart/metric-axis";
import type { ChartSeries } from "../chart/use-series-chart";
import { Markdown } from "../ui/markdown";
import { useSeen } from "../ui/seen";
import { BarsContent } from "./bars-content";
import { titleOf } from "./layout";
import { ScatterContent } from "./scatter-content";

type Props = Omit<BoardProps, "tools"> & { panel: Panel };

/** What the address names while a panel fills the screen. */
export const fullName = (id: string): string => `panel ${id}`;

export const linesOf = ({ metrics, x, x_metric, log_y }: LinesPanel): ChartSeries => ({
  metrics,
  x: x_metric === null ? x || undefined : axisOfMetric(x_metric),
  logY: log_y ?? undefined,
});

export function PanelContent({ panel, ...chartProps }: Props) {
  const title = titleOf(panel);
  if (panel.kind === "text") return <TextContent panel={panel} />;
  if (chartProps.runIds.length === 0) {
    return (
      <figure class="card">
        <figcaption title={title}>{title}</figcaption>
        <p class="empty">Select runs to see their values.</p>
      </figure>
    );
  }
  if (panel.kind !== "lines") return <RunsContent panel={panel} runIds={chartProps.chosen} />;
  return (
    <Card
      {...chartProps}
      path={title}
      series={linesOf(panel)}
      height={panel.height}
      full={fullName(panel.id)}
    />
  );
}

const TextContent = ({ panel }: { panel: TextPanel }) => (
  <figure class="card">
    {panel.title && <figcaption title={panel.title}>{panel.title}</figcaption>}
    <div
      class="text"
      style={{ height: `${panel.height}px` }}
      tabIndex={0}
      role="group"
      aria-label={titleOf(panel)}
    >
      <Markdown text={panel.text} />
    </div>
  </figure>
);

/** A value of each run, fetched once the panel is on screen. */
function RunsContent({ panel, runIds }: { panel: ScatterPanel | BarsPanel; runIds: number[] }) {
  const box = useRef<HTMLElement>(null);
  const wasSeen = useSeen(box);
  const title = titleOf(panel);
  return (
    <figure class="card" ref={box}>
      <figcaption title={title}>{title}</figcaption>
      {!wasSeen && <div style={{ height: `${panel.height}px` }} />}
      {wasSeen && panel.kind === "scatter" && <ScatterContent panel={panel} runIds={runIds} />}
      {wasSeen && panel.kind === "bars" && <BarsContent panel={panel} runIds={runIds} />}
    </figure>
  );
}
