// Selects a field from a list.

import { fieldTitle } from "./fields";

interface Props {
  label: string;
  selected: string;
  /** A selected field that is not an option is shown as the first. */
  options: string[];
  onSelect: (field: string) => void;
}

export const FieldSelect = ({ label, selected, options, onSelect }: Props) => (
  <label>
    {label}
    <select value={selected} onChange={(event) => onSelect(event.currentTarget.value)}>
      {(options.includes(selected) ? options : [selected, ...options]).map((field) => (
        <option key={field} value={field}>
          {fieldTitle(field)}
        </option>
      ))}
    </select>
  </label>
);
