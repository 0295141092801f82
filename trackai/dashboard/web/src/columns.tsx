// Which columns the table has: keys of the configuration, and figures of metrics.

import { useState } from "preact/hooks";
import type * as api from "./api";
import { useDismissed } from "./dismissed";
import { columns, go } from "./view";

const FIGURES = [
  "last",
  "min",
  "max",
  "mean",
  "points",
  "nans",
  "last_step",
  "min_step",
  "max_step",
];
const MOST = 200;

interface Choice {
  field: string;
  name: string;
  figures: string[];
}

export function Columns({ known }: { known: api.Columns | undefined }) {
  const [search, setSearch] = useState("");
  const [open, setOpen] = useState(false);
  const [dismissed] = useDismissed();
  const all: Choice[] =
    known && open
      ? [
          ...known.metrics.map((one) => ({
            field: one.field,
            name: one.path,
            figures: one.kind === "number" || one.kind === "bool" ? FIGURES : [],
          })),
          ...known.config.map((one) => ({ field: one.field, name: one.key, figures: [] })),
          ...["duration", "group", "tag", "notes", "updated", "finished", "id"].map((field) => ({
            field,
            name: field,
            figures: [],
          })),
        ]
      : [];
  const found = all.filter((one) => one.name.toLowerCase().includes(search.toLowerCase()));
  return (
    <details class="chooser" {...dismissed} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Columns{columns.value.length > 0 && ` (${columns.value.length})`}</summary>
      <div class="menu">
        <input
          type="search"
          aria-label="Search columns"
          placeholder="Search columns"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
        {columns.value.length > 0 && (
          <button type="button" onClick={() => go({ columns: undefined }, { replace: true })}>
            Take all away
          </button>
        )}
        {found.slice(0, MOST).map((one) => (
          <Row key={one.field} choice={one} />
        ))}
        {found.length > MOST && (
          <p class="faint">and {found.length - MOST} more: search for them</p>
        )}
        {known && found.length === 0 && <p class="empty">Nothing is called that.</p>}
      </div>
    </details>
  );
}

function Row({ choice: { field, name, figures } }: { choice: Choice }) {
  const mine =
    figures.length > 0
      ? columns.value.find((one) => figureOf(one, field) !== undefined)
      : columns.value.find((one) => one === field);
  const figure = (mine !== undefined && figureOf(mine, field)) || "last";
  const change = (next: string | undefined) => {
    const others = columns.value.filter((one) => one !== mine);
    const at = mine === undefined ? others.length : columns.value.indexOf(mine);
    if (next !== undefined) others.splice(at, 0, next);
    go({ columns: others.join("\n") }, { replace: true });
  };
  return (
    <div class="choice">
      <label>
        <input
          type="checkbox"
          checked={mine !== undefined}
          onChange={() => change(mine === undefined ? field : undefined)}
        />
        <span>{name}</span>
      </label>
      {mine !== undefined && figures.length > 0 && (
        <select
          aria-label={`Figure of ${name}`}
          value={figure}
          onChange={(event) => change(`${field}.${event.currentTarget.value}`)}
        >
          {figures.map((one) => (
            <option key={one} value={one}>
              {one.replace("_", " ")}
            </option>
          ))}
        </select>
      )}
    </div>
  );
}

/** Which figure of a metric a column shows; nothing if it is a column of another. */
function figureOf(column: string, field: string): string | undefined {
  if (column === field) return "last";
  const rest = column.startsWith(`${field}.`) ? column.slice(field.length + 1) : "";
  return FIGURES.includes(rest) ? rest : undefined;
}
