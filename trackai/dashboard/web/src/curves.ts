// What charts are made of: the answers of the server as lines to draw.

import {
  ask,
  type Bucket,
  type ChartData,
  type Range,
  Refused,
  type Value,
  type XAxis,
} from "./api";
import { color, colorAt, dash, dashAt } from "./colors";
import { plain, value } from "./format";

interface GroupBucket {
  step: number | null;
  step_last: number | null;
  runs: number;
  non_finite: number;
  mean: number | null;
  std: number | null;
  min: number | null;
  max: number | null;
  x?: number;
  x_last?: number;
  smoothed?: number | null;
}

interface GroupChart {
  data: GroupBucket[];
  raw: boolean;
  x: XAxis;
  runs: number;
}

interface Group {
  /** Which of all groups it is: it has the same colour where others have no such metric. */
  at: number;
  value: Value;
  run_ids: number[];
  metrics: Record<string, GroupChart>;
}

export interface Question {
  runIds: number[];
  path: string;
  points: number;
  x: XAxis;
  smoothing: number;
  /** A field; the lines are means of the runs that have the same value. */
  groupBy: string;
  steps?: Partial<Range>;
  /** Whether the beginning is shown as wide as the end. */
  logX: boolean;
}

export interface Answer {
  runs: Map<number, ChartData>;
  /** Those that were asked for and are not there any more. */
  gone?: number[];
  groups?: Group[];
}

export async function curves(asked: Question, signal: AbortSignal): Promise<Answer> {
  const found = await once(asked, signal);
  for (let turn = 0; asked.logX && !found.groups && turn < CLOSER; turn++) {
    const coarse = [...found.runs].filter(
      ([
        ,
        {
          data: [first],
        },
      ]) => first && first.count > 1 && first.step_last !== null,
    );
    if (coarse.length === 0) break;
    const max = Math.max(
      ...coarse.map(
        ([
          ,
          {
            data: [first],
          },
        ]) => first?.step_last ?? 0,
      ),
    );
    const begin = await once(
      { ...asked, runIds: coarse.map(([id]) => id), steps: { ...asked.steps, max } },
      signal,
    );
    for (const [id, chart] of coarse) found.runs.set(id, joined(begin.runs.get(id), chart, max));
  }
  return found;
}

// How often the first of what the points of a chart are of is looked at more closely.
const CLOSER = 3;

/** A chart with the beginning of it, up to a step, in place of its own. */
function joined(begin: ChartData | undefined, chart: ChartData, max: number): ChartData {
  if (!begin) return chart;
  const rest = chart.data.filter((one) => (one.step_last ?? 0) > max);
  const until = rest[0]?.step ?? Infinity;
  // Points as they were logged are means of themselves.
  const alone = (one: Bucket): Bucket =>
    begin.raw ? { mean: plain(one.last), min: plain(one.last), max: plain(one.last), ...one } : one;
  return {
    ...chart,
    data: [...begin.data.filter((one) => (one.step ?? 0) < until).map(alone), ...rest],
  };
}

async function once(asked: Question, signal: AbortSignal): Promise<Answer> {
  const body = {
    run_ids: asked.runIds,
    // A star is a wildcard there; names with one of their own are asked for as a pattern too.
    metric_paths: [asked.path],
    points: asked.points,
    x: asked.x,
    smoothing: asked.smoothing || undefined,
    step_min: asked.steps?.min,
    step_max: asked.steps?.max,
  };
  if (asked.groupBy) {
    const x = asked.x === "time" ? "relative" : asked.x;
    const groups = await ask<{ groups: Omit<Group, "at">[] }>(
      "POST",
      "/api/metrics/compare",
      { ...body, x, group_by: asked.groupBy },
      signal,
    ).then(
      (answer) => answer.groups,
      (problem) => {
        if (problem instanceof Refused) return [];
        throw problem;
      },
    );
    const some = groups.map((one, at) => ({ ...one, at })).filter((one) => one.metrics[asked.path]);
    // What has no steps is in no group, nor is anything by a field that cannot be read: the runs are shown.
    if (some.length > 0) return { runs: new Map(), groups: some };
  }
  const answer = await ask<Record<string, Record<string, ChartData>>>(
    "POST",
    "/api/metrics/compare",
    body,
    signal,
  );
  const runs = new Map<number, ChartData>();
  for (const id of asked.runIds) {
    const chart = answer[id]?.[asked.path];
    if (chart) runs.set(id, chart);
  }
  return { runs, gone: asked.runIds.filter((id) => !(id in answer)) };
}

export interface Line {
  key: string;
  label: string;
  color: string;
  dash: number[];
  axis: XAxis;
  x: number[];
  /** Between which x a point stands for what was logged; the same where it is one point. */
  from: number[];
  to: number[];
  steps: [number | null, number | null][];
  /** The line itself: values, means or, where smoothing is on, moving averages. */
  y: (number | null)[];
  /** What was logged, beneath the moving average. */
  plain?: (number | null)[];
  low?: (number | null)[];
  high?: (number | null)[];
  /** How many points or runs each is of. */
  count: number[];
  bad: number[];
  /** What a point was if it was no number: "NaN", "Infinity", "-Infinity". */
  words: (string | undefined)[];
  /** Of how many runs it is the mean; undefined for a run. */
  runs?: number;
}

const numeric = (x: number | string | undefined): number =>
  typeof x === "string" ? Date.parse(x) / 1000 : (x ?? 0);

export function lines(answer: Answer, names: Map<number, string>, smoothed: boolean): Line[] {
  if (answer.groups) return answer.groups.map((group) => ofGroup(group, smoothed));
  return [...answer.runs].map(([id, chart]) =>
    ofRun(id, chart, names.get(id) ?? `run ${id}`, smoothed),
  );
}

function ofRun(id: number, chart: ChartData, label: string, smoothed: boolean): Line {
  const { data } = chart;
  const from = data.map((one) => (chart.x === "step" ? (one.step ?? 0) : numeric(one.x)));
  const to = data.map((one) =>
    chart.x === "step" ? (one.step_last ?? 0) : numeric(one.x_last ?? one.x),
  );
  const values = data.map((one) => (chart.raw ? plain(one.last) : (one.mean ?? null)));
  const wide = !chart.raw && data.some((one) => one.min !== one.max);
  return {
    key: `run ${id}`,
    label,
    color: color(id),
    dash: dash(id),
    axis: chart.x,
    // A mean stands in the middle of what it is of, a moving average at its end.
    x: smoothed ? to : from.map((one, at) => (one + (to[at] as number)) / 2),
    from,
    to,
    steps: data.map((one) => [one.step, one.step_last]),
    y: smoothed ? data.map((one) => one.smoothed ?? null) : values,
    plain: smoothed ? values : undefined,
    low: wide ? data.map((one) => one.min ?? null) : undefined,
    high: wide ? data.map((one) => one.max ?? null) : undefined,
    count: data.map((one) => one.count),
    bad: data.flatMap((one, at) => (one.non_finite > 0 ? [from[at] as number] : [])),
    words: data.map((one) => word(one, chart.raw)),
  };
}

function word(one: Bucket, raw: boolean): string | undefined {
  if (one.non_finite === 0) return undefined;
  if (raw) return String(one.last ?? "NaN");
  return `${one.non_finite} of ${one.count} NaN or infinite`;
}

function ofGroup(group: Group, smoothed: boolean): Line {
  const chart = Object.values(group.metrics)[0] as GroupChart;
  const { data } = chart;
  const from = data.map((one) => (chart.x === "step" ? (one.step ?? 0) : (one.x ?? 0)));
  const to = data.map((one) =>
    chart.x === "step" ? (one.step_last ?? 0) : (one.x_last ?? one.x ?? 0),
  );
  const y = data.map((one) => (smoothed ? (one.smoothed ?? null) : one.mean));
  const edge = (sign: number) =>
    data.map((one) => (one.mean === null || one.std === null ? null : one.mean + sign * one.std));
  const spread = data.some((one) => one.std);
  return {
    key: `group ${JSON.stringify(group.value)}`,
    label: group.value === null ? "(none)" : value(group.value),
    color: colorAt(group.at),
    dash: dashAt(group.at),
    axis: chart.x,
    x: smoothed ? to : from.map((one, at) => (one + (to[at] as number)) / 2),
    from,
    to,
    steps: data.map((one) => [one.step, one.step_last]),
    y,
    plain: smoothed ? data.map((one) => one.mean) : undefined,
    low: spread ? edge(-1) : undefined,
    high: spread ? edge(1) : undefined,
    count: data.map((one) => one.runs),
    bad: data.flatMap((one, at) => (one.non_finite > 0 ? [from[at] as number] : [])),
    words: data.map((one) =>
      one.non_finite > 0 ? `NaN or infinite in ${one.non_finite} of its runs` : undefined,
    ),
    runs: chart.runs,
  };
}

/** Which steps the lines have between two places of another axis; undefined if they have none there. */
export function stepsBetween(answer: Answer, range: Range): Range | undefined {
  let [min, max] = [Infinity, -Infinity];
  const all = answer.groups
    ? answer.groups.flatMap((group) => Object.values(group.metrics).map((one) => one.data))
    : [...answer.runs.values()].map((one) => one.data);
  for (const data of all) {
    for (const one of data) {
      if (one.step === null || one.step_last === null) continue;
      if (numeric(one.x_last ?? one.x) < range.min || numeric(one.x) > range.max) continue;
      min = Math.min(min, one.step);
      max = Math.max(max, one.step_last);
    }
  }
  return min <= max ? { min, max } : undefined;
}
