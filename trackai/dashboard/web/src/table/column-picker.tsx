// Selects the columns of the table, and their order: keys of the configuration, figures of metrics.

import { useState } from "preact/hooks";
import type { Columns } from "../api/types";
import { contains, Options, SearchInput } from "../ui/controls";
import { grouped } from "../ui/format";
import { Menu } from "../ui/popover";
import { replaceParameters } from "../view/address";
import { columns } from "../view/parameters";
import {
  addColumn,
  hasOwnColumns,
  isFixed,
  NO_CHANGES,
  pinnedColumns,
  removeColumn,
  replaceColumn,
  setOrder,
  setWidth,
  shiftColumn,
  shownColumns,
  togglePin,
  WIDTHS,
} from "../view/table-columns";
import { type ColumnChoice, columnChoices, figureOf } from "./column-choices";
import { widthOf } from "./column-styles";
import { columnTitles } from "./column-titles";

// Of each heading: many metrics leave room for the keys of the configuration.
const MAX_SHOWN = 100;

export function ColumnPicker({ available }: { available: Columns | undefined }) {
  const [search, setSearch] = useState("");
  const [isOpen, setOpen] = useState(false);
  const choices = available && isOpen ? columnChoices(available) : [];
  const matches = choices.filter(({ name }) => contains(name, search));
  const headings = [...new Set(matches.map(({ heading }) => heading))];
  const selected = columns.value.length;
  return (
    <Menu summary={selected > 0 ? `Columns (${selected})` : "Columns"} onToggle={setOpen}>
      <SearchInput label="Search columns" value={search} onSearch={setSearch} />
      {selected > 0 && (
        <button type="button" onClick={() => setOrder(shownColumns.value.filter(isFixed))}>
          Clear all
        </button>
      )}{" "}
      {hasOwnColumns.value && (
        <button type="button" onClick={() => replaceParameters(NO_CHANGES)}>
          Restore defaults
        </button>
      )}
      {isOpen && search === "" && <ColumnOrder />}
      {headings.map((heading) => (
        <ColumnGroup
          key={heading}
          heading={heading}
          choices={matches.filter((choice) => choice.heading === heading)}
        />
      ))}
      {available && matches.length === 0 && <p class="empty">No matches.</p>}
    </Menu>
  );
}

const FIXED_TITLES: Record<string, string> = { state: "State", created_at: "Created" };

/** The columns from left to right, with buttons that move, pin and resize them. */
function ColumnOrder() {
  const order = shownColumns.value;
  const titles = new Map(
    columnTitles(columns.value).map((title, index) => [columns.value[index], title]),
  );
  return (
    <fieldset class="columns">
      <legend>Order</legend>
      {order.map((field, index) => (
        <OrderRow
          key={field}
          field={field}
          title={FIXED_TITLES[field] ?? titles.get(field) ?? field}
          isFirst={index === 0}
          isLast={index === order.length - 1}
        />
      ))}
    </fieldset>
  );
}

interface OrderProps {
  field: string;
  title: string;
  isFirst: boolean;
  isLast: boolean;
}

function OrderRow({ field, title, isFirst, isLast }: OrderProps) {
  const isPinned = pinnedColumns.value.includes(field);
  const width = widthOf(field);
  const button = (text: string, label: string, onClick: () => void, disabled = false) => (
    <button
      type="button"
      class="quiet"
      aria-label={`${label}: ${title}`}
      title={label}
      disabled={disabled}
      onClick={onClick}
    >
      {text}
    </button>
  );
  return (
    <div class="choice">
      <span title={field}>{title}</span>
      <span class="order-tools">
        {button("←", "Move to the left", () => shiftColumn(field, -1), isFirst && isPinned)}
        {button("→", "Move to the right", () => shiftColumn(field, 1), isLast && !isPinned)}
        {button("−", "Narrower", () => setWidth(field, width - WIDTHS.step))}
        {button("+", "Wider", () => setWidth(field, width + WIDTHS.step))}
        <button
          type="button"
          class="quiet"
          aria-pressed={isPinned}
          aria-label={`Pin: ${title}`}
          title={isPinned ? "Stop pinning" : "Pin: it stays beside the names"}
          onClick={() => togglePin(field)}
        >
          {isPinned ? "★" : "☆"}
        </button>
      </span>
    </div>
  );
}

function ColumnGroup({ heading, choices }: { heading: string; choices: ColumnChoice[] }) {
  const hidden = choices.length - MAX_SHOWN;
  return (
    <fieldset class="columns">
      <legend>{heading}</legend>
      {choices.slice(0, MAX_SHOWN).map((choice) => (
        <ColumnRow key={choice.field} choice={choice} />
      ))}
      {hidden > 0 && <p class="faint">{grouped(hidden)} more. Search to find them.</p>}
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
  return (
    <div class="choice">
      <label>
        <input
          type="checkbox"
          checked={isShown}
          onChange={() => (isShown ? removeColumn(column) : addColumn(field))}
        />
        <span>{name}</span>
      </label>
      {isShown && hasFigures && (
        <select
          aria-label={`Figure of ${name}`}
          value={figure}
          onChange={(event) => replaceColumn(column, `${field}.${event.currentTarget.value}`)}
        >
          <Options values={figures} text={(option) => option.replace("_", " ")} />
        </select>
      )}
    </div>
  );
}
