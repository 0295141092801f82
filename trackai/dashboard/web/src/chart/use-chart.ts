// The data of a chart as it changes with the address and with its runs.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ChoiceBody } from "../api/types";
import { band, logX, meanBy, smoothing, xAxis, zoomRange } from "../view/parameters";
import type { ChartData } from "./chart-data";
import { effectiveAxis, pollChart } from "./chart-poll";
import type { ChartAxis } from "./metric-axis";

// The charts that were shown last, for cards that are scrolled back to.
const MAX_KEPT = 150;
const kept = new Map<string, ChartData>();

function keep(key: string, chart: ChartData): void {
  kept.delete(key);
  kept.set(key, chart);
  const [oldest] = kept.keys();
  if (kept.size > MAX_KEPT && oldest !== undefined) kept.delete(oldest);
}

interface Options {
  path: string;
  runIds: number[];
  /** All chosen runs, of which `runIds` are drawn one by one. */
  choice: ChoiceBody;
  /** Whether the chart is on screen; only then it is fetched. */
  live: boolean;
  /** The runs that are logging; undefined while that is not known. */
  running: number[] | undefined;
  /** The width of the chart in pixels. */
  width: () => number;
}

export interface ChartState {
  chart: ChartData | undefined;
  error: string;
  axis: ChartAxis;
}

export function useChart({ path, runIds, choice, live, running, width }: Options): ChartState {
  const fullChart = useRef<ChartData>();
  const latestRunning = useRef(running);
  latestRunning.current = running;
  const [error, setError] = useState("");

  const groupBy = runIds.length > 1 ? meanBy.value : "";
  const axis = effectiveAxis(xAxis.value, path, groupBy);
  const zoom = zoomRange.value?.axis === axis ? zoomRange.value : undefined;
  const quartiles = groupBy !== "" && band.value === "quartiles";
  const of = groupBy ? JSON.stringify(choice) : runIds;
  const seriesKey = [path, of, axis, smoothing.value, groupBy, quartiles, logX.value].join(
    "\u0000",
  );
  const requestKey = [seriesKey, zoom?.min, zoom?.max].join("\u0000");
  const [chart, setChart] = useState(() => kept.get(requestKey));
  useLayoutEffect(() => {
    fullChart.current = undefined;
  }, [seriesKey]);
  // Other effects wait for the next frame.
  useLayoutEffect(() => {
    if (!live || runIds.length === 0) return;
    // After a reset of the zoom, show the full chart before it is fetched again.
    if (!zoom && fullChart.current) setChart(fullChart.current);
    return pollChart({
      path,
      runIds,
      axis,
      zoom,
      smoothing: smoothing.value,
      groupBy,
      choice,
      quartiles,
      logX: logX.value,
      isFirst: chart === undefined,
      width,
      running: () => latestRunning.current,
      onFullChart: (full) => {
        fullChart.current = full;
      },
      onChart: (shown) => {
        keep(requestKey, shown);
        setChart(shown);
      },
      onError: setError,
    });
  }, [requestKey, live]);
  return { chart, error, axis };
}
