// Selects the axes of the parallel coordinates.

import { useState } from "preact/hooks";
import { usePopover } from "../ui/popover";
import { fieldTitle } from "./fields";

const MAX_SHOWN = 200;

interface Props {
  axes: string[];
  config: string[];
  onAxes: (fields: string[]) => void;
}

export function AxesMenu({ axes, config, onAxes }: Props) {
  const [search, setSearch] = useState("");
  const [popover] = usePopover();
  const matches = config.filter((field) =>
    fieldTitle(field).toLowerCase().includes(search.toLowerCase()),
  );
  const toggle = (field: string, isShown: boolean) =>
    onAxes(isShown ? [...axes, field] : axes.filter((axis) => axis !== field));
  return (
    <details class="chooser" {...popover}>
      <summary>Axes ({axes.length})</summary>
      <div class="menu">
        <input
          type="search"
          aria-label="Search axes"
          placeholder="Search axes"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
        {matches.slice(0, MAX_SHOWN).map((field) => (
          <label key={field}>
            <input
              type="checkbox"
              checked={axes.includes(field)}
              onChange={(event) => toggle(field, event.currentTarget.checked)}
            />
            {fieldTitle(field)}
          </label>
        ))}
      </div>
    </details>
  );
}
