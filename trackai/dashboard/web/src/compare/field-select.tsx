// Selects a field from a list.

import { Options, Select } from "../ui/controls";
import { fieldTitle } from "./fields";

interface Props {
  label: string;
  selected: string;
  /** A selected field that is not an option is shown as the first. */
  options: string[];
  onSelect: (field: string) => void;
}

export const FieldSelect = ({ label, selected, options, onSelect }: Props) => (
  <Select label={label} value={selected} onSelect={onSelect}>
    <Options
      values={options.includes(selected) ? options : [selected, ...options]}
      text={fieldTitle}
    />
  </Select>
);
