// Selects the columns of the table: keys of the configuration, and figures of metrics.

import { useState } from "preact/hooks";
import type { Columns } from "../api/types";
import { contains, Options, SearchInput } from "../ui/controls";
import { Menu } from "../ui/popover";
import { replaceParameters } from "../view/address";
import { columns } from "../view/parameters";
import { printList } from "../view/parsing";
import { type ColumnChoice, columnChoices, figureOf } from "./column-choices";

const MAX_SHOWN = 200;

const HEADINGS = ["Metrics", "Configuration", "Run"];

const setColumns = (fields: string[]) => replaceParameters({ columns: printList(fields) });

export function ColumnPicker({ available }: { available: Columns | undefined }) {
  const [search, setSearch] = useState("");
  const [isOpen, setOpen] = useState(false);
  const choices = available && isOpen ? columnChoices(available) : [];
  const matches = choices.filter(({ name }) => contains(name, search));
  const shown = matches.slice(0, MAX_SHOWN);
  const selected = columns.value.length;
  return (
    <Menu summary={selected > 0 ? `Columns (${selected})` : "Columns"} onToggle={setOpen}>
      <SearchInput label="Search columns" value={search} onSearch={setSearch} />
      {selected > 0 && (
        <button type="button" onClick={() => setColumns([])}>
          Clear all
        </button>
      )}
      {HEADINGS.map((heading) => (
        <ColumnGroup
          key={heading}
          heading={heading}
          choices={shown.filter((choice) => choice.heading === heading)}
        />
      ))}
      {matches.length > MAX_SHOWN && (
        <p class="faint">{matches.length - MAX_SHOWN} more. Search to find them.</p>
      )}
      {available && matches.length === 0 && <p class="empty">No matches.</p>}
    </Menu>
  );
}

function ColumnGroup({ heading, choices }: { heading: string; choices: ColumnChoice[] }) {
  if (choices.length === 0) return null;
  return (
    <fieldset class="columns">
      <legend>{heading}</legend>
      {choices.map((choice) => (
        <ColumnRow key={choice.field} choice={choice} />
      ))}
    </fieldset>
  );
}

function ColumnRow({ choice: { field, name, figures } }: { choice: ColumnChoice }) {
  const hasFigures = figures.length > 0;
  const column = columns.value.find((shown) =>
    hasFigures ? figureOf(shown, field) !== undefined : shown === field,
  );
  const isShown = column !== undefined;
  const figure = (isShown && figureOf(column, field)) || "last";
  const replaceColumn = (replacement: string | undefined) => {
    const fields = columns.value.filter((shown) => shown !== column);
    const index = isShown ? columns.value.indexOf(column) : fields.length;
    if (replacement !== undefined) fields.splice(index, 0, replacement);
    setColumns(fields);
  };
  return (
    <div class="choice">
      <label>
        <input
          type="checkbox"
          checked={isShown}
          onChange={() => replaceColumn(isShown ? undefined : field)}
        />
        <span>{name}</span>
      </label>
      {isShown && hasFigures && (
        <select
          aria-label={`Figure of ${name}`}
          value={figure}
          onChange={(event) => replaceColumn(`${field}.${event.currentTarget.value}`)}
        >
          <Options values={figures} text={(option) => option.replace("_", " ")} />
        </select>
      )}
    </div>
  );
}
