// The columns that the table can show.

import type { Columns, MetricColumn } from "../api/types";
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

/** By heading; what has no figures, such as alerts and histograms, comes after all else. */
export function columnChoices({ metrics, config, environment }: Columns): ColumnChoice[] {
  const hasNumbers = ({ kind }: MetricColumn): boolean => kind === "number" || kind === "bool";
  return [
    ...metrics.filter(hasNumbers).map(({ field, path }) => ({
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
    ...metrics
      .filter((metric) => !hasNumbers(metric))
      .map(({ field, path }) => ({
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
