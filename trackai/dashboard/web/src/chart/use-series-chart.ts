// The data of a chart of several metrics, or with an x axis of its own.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ChoiceBody } from "../api/types";
import { band, logX, meanBy, smoothing, xAxis, zoomRange } from "../view/parameters";
import type { ChartData } from "./chart-data";
import { effectiveAxis, pollChart } from "./chart-poll";
import { type ChartAxis, metricOfAxis } from "./metric-axis";
import type { ChartState } from "./use-chart";

/** What a chart shows, if that is not one metric on the axes of the page. */
export interface ChartSeries {
  metrics: string[];
  /** Undefined for the axes of the page. */
  x?: ChartAxis;
  logY?: boolean;
}

interface Options {
  series: ChartSeries;
  runIds: number[];
  choice: ChoiceBody;
  live: boolean;
  running: number[] | undefined;
  width: () => number;
}

export function useSeriesChart(options: Options): ChartState {
  const { series, runIds, choice, live, running, width } = options;
  const { metrics } = series;
  const parts = useRef<(ChartData | undefined)[]>([]);
  const latestRunning = useRef(running);
  latestRunning.current = running;
  const [chart, setChart] = useState<ChartData>();
  const hasChart = useRef(false);
  const [errors, setErrors] = useState<string[]>([]);

  const chosen: ChartAxis = series.x ?? xAxis.value;
  // The mean of a group is over steps or times.
  const isOverMetric = metricOfAxis(chosen) !== undefined;
  const groupBy = runIds.length > 1 && !isOverMetric ? meanBy.value : "";
  // All metrics share the axis; one without steps has none of steps.
  const axis = metrics.reduce<ChartAxis>(
    (shared, path) => effectiveAxis(shared, path, groupBy),
    chosen,
  );
  const zoom = zoomRange.value?.axis === axis ? zoomRange.value : undefined;
  const quartiles = groupBy !== "" && band.value === "quartiles";
  const requestKey = JSON.stringify([
    metrics,
    groupBy ? choice : runIds,
    quartiles,
    axis,
    smoothing.value,
    groupBy,
    logX.value,
    zoom,
  ]);
  useLayoutEffect(() => {
    if (!live || runIds.length === 0) return;
    parts.current = [];
    const stops = metrics.map((path, index) =>
      pollChart({
        path,
        runIds,
        axis,
        zoom,
        smoothing: smoothing.value,
        groupBy,
        choice,
        quartiles,
        logX: logX.value,
        isFirst: !hasChart.current,
        width,
        running: () => latestRunning.current,
        onFullChart: () => undefined,
        onChart: (part) => {
          parts.current[index] = part;
          const isComplete = metrics.every((_, at) => parts.current[at]);
          // What is shown stays until all metrics can take its place.
          if (isComplete || !hasChart.current) setChart(combine(metrics, parts.current, axis));
          hasChart.current ||= isComplete;
        },
        onError: (message) =>
          setErrors((before) =>
            metrics.map((_, at) => (at === index ? message : before[at]) ?? ""),
          ),
      }),
    );
    return () => {
      for (const stop of stops) stop();
    };
  }, [requestKey, live]);
  return { chart, error: errors.find(Boolean) ?? "", axis };
}

/** The charts that are there; those on another axis are about to be fetched again. */
function combine(metrics: string[], parts: (ChartData | undefined)[], axis: ChartAxis): ChartData {
  const known = metrics.flatMap((metric, index): [string, ChartData][] => {
    const part = parts[index];
    return part && axisOf(part, axis) === axis ? [[metric, part]] : [];
  });
  const [only] = known;
  return metrics.length === 1 && only ? only[1] : { runs: new Map(), parts: known };
}

function axisOf(chart: ChartData, fallback: ChartAxis): ChartAxis {
  const [run] = chart.runs.values();
  const [metric] = Object.values(chart.groups?.[0]?.metrics ?? {});
  return run?.x ?? metric?.x ?? fallback;
}
