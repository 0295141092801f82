// Selects the fields by which the table groups runs.

import type { Columns, ConfigColumn } from "../api/types";
import { Options, Select } from "../ui/controls";
import { go } from "../view/address";
import { groupBy } from "../view/parameters";
import { splitFields } from "../view/parsing";

const RUN_FIELDS = ["group", "state", "name", "tag"];

const FieldOptions = ({ label, columns }: { label: string; columns: ConfigColumn[] }) =>
  columns.length > 0 ? (
    <optgroup label={label}>
      {columns.map(({ field, key }) => (
        <option key={field} value={field}>
          {key}
        </option>
      ))}
    </optgroup>
  ) : null;

// More fields would need another row of the page.
const MAX_KEYS = 3;

/** A select for each field, and one more for the next. */
export function GroupBySelect({ columns }: { columns: Columns | undefined }) {
  const keys = splitFields(groupBy.value);
  const setKey = (index: number, field: string) => {
    const next = field
      ? [...keys.slice(0, index), field, ...keys.slice(index + 1)]
      : keys.slice(0, index);
    go({ by: [...new Set(next)].join(","), open: undefined });
  };
  const shown = keys.length < MAX_KEYS ? [...keys, ""] : keys;
  return (
    <>
      {shown.map((key, index) => (
        <KeySelect
          key={index}
          label={index === 0 ? "Group by" : "then by"}
          value={key}
          columns={columns}
          onSelect={(field) => setKey(index, field)}
        />
      ))}
    </>
  );
}

interface KeyProps {
  label: string;
  value: string;
  columns: Columns | undefined;
  onSelect: (field: string) => void;
}

function KeySelect({ label, value, columns, onSelect }: KeyProps) {
  const config = columns?.config ?? [];
  const environment = columns?.environment ?? [];
  const known = [...RUN_FIELDS, ...[...config, ...environment].map((column) => column.field)];
  // A link may name a field that no run has any more.
  const isUnknown = value !== "" && !known.includes(value);
  const runFields = isUnknown ? [...RUN_FIELDS, value] : RUN_FIELDS;
  return (
    <Select label={label} value={value} onSelect={onSelect}>
      <option value="">none</option>
      <Options values={runFields} />
      <FieldOptions label="configuration" columns={config} />
      <FieldOptions label="environment" columns={environment} />
    </Select>
  );
}
