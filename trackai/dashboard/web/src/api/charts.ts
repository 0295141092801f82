// Charts of several runs or groups of runs, what they can show, and all points of one metric.

import { ApiError, get, queryString, request } from "./client";
import type { KnownCharts } from "./known-charts";
import type { ChoiceBody, Group, GroupMembers, PointPage, Range, RunChart, XAxis } from "./types";

const COMPARE = "/api/metrics/compare";

export interface ChartQuery {
  runIds: number[];
  path: string;
  points: number;
  x: XAxis;
  smoothing: number;
  /** Whether to smooth only what the server need not read for it. */
  ifKnown?: boolean;
  steps?: Partial<Range>;
  /** What this request was answered with before; undefined for a request that is not repeated. */
  known?: KnownCharts;
}

// The server compares at most so many groups.
const MAX_GROUPS = 100;

const chartBody = ({ runIds, path, points, x, smoothing, ifKnown, steps }: ChartQuery) => ({
  run_ids: runIds,
  // "*" is a wildcard here, so a name that contains one also matches as a pattern.
  metric_paths: [path],
  points,
  x,
  smoothing: smoothing || undefined,
  smoothed_if_known: (smoothing > 0 && ifKnown) || undefined,
  step_min: steps?.min,
  step_max: steps?.max,
});

/** The charts of one metric by run, and the runs that no longer exist. */
export async function getRunCharts(
  query: ChartQuery,
  signal: AbortSignal,
): Promise<{ charts: Map<number, RunChart>; deleted: number[] }> {
  const answer = await request<Record<string, Record<string, RunChart>>>(
    "POST",
    COMPARE,
    { ...chartBody(query), versions: query.known?.versions(query.path, query.runIds) },
    signal,
  );
  const charts = new Map<number, RunChart>();
  for (const id of query.runIds) {
    const chart = answer[id]?.[query.path];
    if (chart) charts.set(id, query.known?.complete(id, query.path, chart) ?? chart);
  }
  return { charts, deleted: query.runIds.filter((id) => !(id in answer)) };
}

/**
 * The charts of one metric by group, of all chosen runs; none if they cannot be grouped by this
 * field.
 */
export async function getGroupCharts(
  query: ChartQuery,
  choice: ChoiceBody,
  groupBy: string,
  quartiles: boolean,
  signal: AbortSignal,
): Promise<Group[]> {
  // Runs that started at different times have no common clock.
  const x = query.x === "time" ? "relative" : query.x;
  const { run_ids: _, ...chart } = chartBody({ ...query, x });
  const { known, path } = query;
  const versions = known?.versions(path, [...Array(MAX_GROUPS).keys()]);
  const body = { ...chart, ...choice, group_by: groupBy, quartiles, versions };
  try {
    const { groups } = await request<{ groups: Group[] }>("POST", COMPARE, body, signal);
    return groups.map((group, number) => {
      const sent = group.metrics[path];
      if (!known || !sent) return group;
      return { ...group, metrics: { [path]: known.complete(number, path, sent) } };
    });
  } catch (problem) {
    if (problem instanceof ApiError) return [];
    throw problem;
  }
}

/** The groups that chosen runs form by a field, in order of value; none without such a field. */
export async function getGroupMembers(
  choice: ChoiceBody,
  groupBy: string,
): Promise<GroupMembers[]> {
  const body = { ...choice, group_by: groupBy };
  try {
    return (await request<{ groups: GroupMembers[] }>("POST", "/api/runs/groups", body)).groups;
  } catch (problem) {
    if (problem instanceof ApiError) return [];
    throw problem;
  }
}

/** The metrics that at least one of the runs has logged or inherited. */
export async function getLoggedPaths(choice: ChoiceBody, signal: AbortSignal): Promise<string[]> {
  return (await request<{ paths: string[] }>("POST", "/api/metrics/paths", choice, signal)).paths;
}

/** One page of the points of a metric, as they were logged. */
export function getPoints(
  runId: number,
  path: string,
  page: { limit: number; cursor?: string },
  signal: AbortSignal,
): Promise<PointPage> {
  const name = path.split("/").map(encodeURIComponent).join("/");
  return get(`/api/metrics/runs/${runId}/metric/${name}?${queryString(page)}`, signal);
}
