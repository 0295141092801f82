// Buckets, lines and views for tests.

import type { Bucket } from "../../src/api/types";
import type { Line } from "../../src/chart/lines";
import type { ChartView } from "../../src/chart/y-range";

export const bucket = (step: number, value: number, more: Partial<Bucket> = {}): Bucket => ({
  step,
  step_last: step,
  count: 1,
  non_finite: 0,
  first: value,
  last: value,
  ...more,
});

export function line(y: (number | null)[], more: Partial<Line> = {}): Line {
  const x = y.map((_, index) => index);
  return {
    key: "run 1",
    label: "first",
    color: "#000000",
    dash: [],
    axis: "step",
    x,
    from: x,
    to: x,
    steps: x.map((step) => [step, step]),
    y,
    count: y.map(() => 1),
    nonFinite: [],
    notes: y.map(() => undefined),
    ...more,
  };
}

export const view = (more: Partial<ChartView> = {}): ChartView => ({
  logX: false,
  logY: false,
  clipOutliers: false,
  zoom: undefined,
  limits: undefined,
  ...more,
});
