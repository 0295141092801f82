// Selects the field by which the table groups runs.

import type { Columns, ConfigColumn } from "../api/types";
import { Options, Select } from "../ui/controls";
import { go } from "../view/address";
import { groupBy } from "../view/parameters";

const RUN_FIELDS = ["group", "state", "name"];

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

export function GroupBySelect({ columns }: { columns: Columns | undefined }) {
  const config = columns?.config ?? [];
  const environment = columns?.environment ?? [];
  const known = [...RUN_FIELDS, ...[...config, ...environment].map((column) => column.field)];
  // A link may name a field that no run has any more.
  const isUnknown = groupBy.value !== "" && !known.includes(groupBy.value);
  const runFields = isUnknown ? [...RUN_FIELDS, groupBy.value] : RUN_FIELDS;
  return (
    <Select
      label="Group by"
      value={groupBy.value}
      onSelect={(field) => go({ by: field, open: undefined })}
    >
      <option value="">none</option>
      <Options values={runFields} />
      <FieldOptions label="configuration" columns={config} />
      <FieldOptions label="environment" columns={environment} />
    </Select>
  );
}
