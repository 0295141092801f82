// Form controls: search boxes, selects and checkboxes.

import type { ComponentChildren } from "preact";

interface SearchProps {
  label: string;
  placeholder?: string;
  value: string;
  onSearch: (text: string) => void;
}

export const SearchInput = ({ label, placeholder = label, value, onSearch }: SearchProps) => (
  <input
    type="search"
    aria-label={label}
    placeholder={placeholder}
    value={value}
    onInput={(event) => onSearch(event.currentTarget.value)}
  />
);

/** Whether a text contains what is searched for, ignoring case. */
export const contains = (text: string, search: string): boolean =>
  text.toLowerCase().includes(search.toLowerCase());

interface SelectProps {
  label: string;
  value: string;
  onSelect: (value: string) => void;
  children: ComponentChildren;
}

export const Select = ({ label, value, onSelect, children }: SelectProps) => (
  <label>
    {label}
    <select value={value} onChange={(event) => onSelect(event.currentTarget.value)}>
      {children}
    </select>
  </label>
);

interface OptionsProps {
  values: string[];
  /** The text of an option; by default its value. */
  text?: (value: string) => string;
}

export const Options = ({ values, text = String }: OptionsProps) => (
  <>
    {values.map((value) => (
      <option key={value} value={value}>
        {text(value)}
      </option>
    ))}
  </>
);

interface CheckboxProps {
  checked: boolean;
  onChange: (checked: boolean) => void;
  children: ComponentChildren;
}

export const Checkbox = ({ checked, onChange, children }: CheckboxProps) => (
  <label>
    <input
      type="checkbox"
      checked={checked}
      onChange={(event) => onChange(event.currentTarget.checked)}
    />
    {children}
  </label>
);
