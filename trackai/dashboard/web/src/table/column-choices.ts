// The columns that the table can show.

import type { Columns, MetricColumn } from "../api/types";
import { rankOf } from "../chart/metric-order";
import { ALL_FIGURES } from "../view/figures";

const RUN_FIELDS = ["duration", "group", "tag", "notes", "updated", "finished", "id"];

export interface ColumnChoice {
  field: string;
  name: string;
  /** What it is a column of. */
  heading: string;
  /** The figures of a metric that a column can show. */
  figures: string[];
}

const hasNumbers = ({ kind }: MetricColumn): boolean => kind === "number" || kind === "bool";

/** The metrics with numbers, in the order of their charts, and those without. */
export function splitMetrics(metrics: MetricColumn[]): [MetricColumn[], MetricColumn[]] {
  const numbers = metrics.filter(hasNumbers);
  numbers.sort((left, right) => rankOf(left.path) - rankOf(right.path));
  return [numbers, metrics.filter((metric) => !hasNumbers(metric))];
}

/** By heading; what has no figures, such as alerts and histograms, comes after all else. */
export function columnChoices({ metrics, config, environment }: Columns): ColumnChoice[] {
  const [numbers, others] = splitMetrics(metrics);
  return [
    ...numbers.map(({ field, path }) => ({
      field,
      name: path,
      heading: "Metrics",
      figures: ALL_FIGURES,
    })),
    ...config.map(({ field, key }) => ({
      field,
      name: key,
      heading: "Configuration",
      figures: [],
    })),
    ...environment.map(({ field, key }) => ({
      field,
      name: key,
      heading: "Environment",
      figures: [],
    })),
    ...RUN_FIELDS.map((field) => ({ field, name: field, heading: "Run", figures: [] })),
    ...others.map(({ field, path }) => ({
      field,
      name: path,
      heading: "Texts and histograms",
      figures: [],
    })),
  ];
}

/** The figure of a metric that a column shows; undefined if it is a column of something else. */
export function figureOf(column: string, metricField: string): string | undefined {
  if (column === metricField) return "last";
  if (!column.startsWith(`${metricField}.`)) return undefined;
  const figure = column.slice(metricField.length + 1);
  return ALL_FIGURES.includes(figure) ? figure : undefined;
}
