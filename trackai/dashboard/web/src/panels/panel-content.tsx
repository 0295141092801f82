// What a panel shows.

import type { LinesPanel, Panel } from "../api/views";
import { Card } from "../chart/card";
import type { BoardProps } from "../chart/chart-list";
import { axisOfMetric } from "../chart/metric-axis";
import type { ChartSeries } from "../chart/use-series-chart";
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
  const { height } = panel;
  if (panel.kind === "lines") {
    if (chartProps.runIds.length === 0) return <NoRuns title={title} />;
    return (
      <Card
        {...chartProps}
        path={title}
        series={linesOf(panel)}
        height={height}
        full={fullName(panel.id)}
      />
    );
  }
  if (panel.kind === "text") {
    return (
      <figure class="card">
        {panel.title && <figcaption title={title}>{title}</figcaption>}
        <div
          class="text"
          style={{ height: `${height}px` }}
          tabIndex={0}
          role="group"
          aria-label={title}
        >
          {panel.text}
        </div>
      </figure>
    );
  }
  if (chartProps.runIds.length === 0) return <NoRuns title={title} />;
  const { runIds } = chartProps;
  return (
    <figure class="card">
      <figcaption title={title}>{title}</figcaption>
      {panel.kind === "scatter" ? (
        <ScatterContent panel={panel} runIds={runIds} />
      ) : (
        <BarsContent panel={panel} runIds={runIds} />
      )}
    </figure>
  );
}

const NoRuns = ({ title }: { title: string }) => (
  <figure class="card">
    <figcaption title={title}>{title}</figcaption>
    <p class="empty">Select runs to see their values.</p>
  </figure>
);
