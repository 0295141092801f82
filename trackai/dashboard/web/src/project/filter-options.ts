// What the filter box offers: from the columns of the project, and from the values that runs have.

import { useEffect, useState } from "preact/hooks";
import { listGroups } from "../api/projects";
import type { Columns } from "../api/types";
import { splitMetrics } from "../table/column-choices";
import { ALL_FIGURES } from "../view/figures";
import { OPERATORS, type Place, quoteValue } from "../view/filter-completion";

export interface Option {
  text: string;
  /** What it is, such as "configuration". */
  hint: string;
}

const MAX_VALUES = 100;
const ATTRIBUTES = [
  "name",
  "run_id",
  "state",
  "tag",
  "group",
  "notes",
  "created",
  "updated",
  "finished",
  "duration",
  "id",
  "archived",
];
const MEANINGS: Record<string, string> = {
  "=": "equal",
  "!=": "not equal",
  "<": "less",
  "<=": "at most",
  ">": "greater",
  ">=": "at least",
  "~": "contains",
  "!~": "does not contain",
  "=~": "matches the regular expression",
  "!=~": "does not match it",
};
const KNOWN_VALUES: Record<string, string[]> = {
  state: ["running", "completed", "failed"],
  archived: ["true", "false"],
};

const options = (texts: string[], hint: string): Option[] => texts.map((text) => ({ text, hint }));

function fieldOptions(columns: Columns | undefined): Option[] {
  const { config = [], metrics = [], environment = [] } = columns ?? {};
  const [numbers, others] = splitMetrics(metrics);
  const figures = numbers.flatMap(({ field }) =>
    ALL_FIGURES.slice(1).map((figure) => `${field}.${figure}`),
  );
  return [
    ...options(ATTRIBUTES, "run"),
    ...config.map(({ field }) => ({ text: field, hint: "configuration" })),
    ...numbers.map(({ field }) => ({ text: field, hint: "last value" })),
    ...options(figures, "figure"),
    ...environment.map(({ field }) => ({ text: field, hint: "environment" })),
    ...others.map(({ field }) => ({ text: field, hint: "last value" })),
  ];
}

/** Whether the server can list the values of a field. */
const hasValues = (field: string): boolean =>
  ["tag", "group", "name"].includes(field) || /^(config|env)\./.test(field);

/** All options for a place in the filter; those for values arrive later. */
export function useOptions(
  projectId: number,
  columns: Columns | undefined,
  place: Place | undefined,
): Option[] {
  const [values, setValues] = useState<{ field: string; texts: string[] }>();
  const field = place?.kind === "value" && hasValues(place.field) ? place.field : "";
  useEffect(() => {
    if (!field || values?.field === field) return;
    const abort = new AbortController();
    listGroups(projectId, { by: field, limit: MAX_VALUES }, abort.signal).then(
      ({ groups }) => {
        const texts = groups
          .filter(({ value }) => value !== null)
          .map(({ value }) => (typeof value === "string" ? quoteValue(value) : String(value)));
        setValues({ field, texts });
      },
      // Without values there is nothing to offer; the filter itself reports a wrong field.
      () => undefined,
    );
    return () => abort.abort();
  }, [field, projectId]);
  if (!place) return [];
  switch (place.kind) {
    case "field":
      return fieldOptions(columns);
    case "operator":
      return OPERATORS.map((text) => ({ text, hint: MEANINGS[text] ?? "" }));
    case "joint":
      return options(["and", "or"], "");
    case "value": {
      const known = KNOWN_VALUES[place.field];
      return options(known ?? (values?.field === field ? values.texts : []), "value");
    }
  }
}
