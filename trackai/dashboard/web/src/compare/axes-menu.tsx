// Selects the axes of the parallel coordinates.

import { useState } from "preact/hooks";
import { Checkbox, contains, SearchInput } from "../ui/controls";
import { Menu } from "../ui/popover";
import { fieldTitle } from "./fields";

const MAX_SHOWN = 200;

interface Props {
  axes: string[];
  config: string[];
  onAxes: (fields: string[]) => void;
}

export function AxesMenu({ axes, config, onAxes }: Props) {
  const [search, setSearch] = useState("");
  const matches = config.filter((field) => contains(fieldTitle(field), search));
  const toggle = (field: string, isShown: boolean) =>
    onAxes(isShown ? [...axes, field] : axes.filter((axis) => axis !== field));
  return (
    <Menu summary={`Axes (${axes.length})`}>
      <SearchInput label="Search axes" value={search} onSearch={setSearch} />
      {matches.slice(0, MAX_SHOWN).map((field) => (
        <Checkbox
          key={field}
          checked={axes.includes(field)}
          onChange={(isShown) => toggle(field, isShown)}
        >
          {fieldTitle(field)}
        </Checkbox>
      ))}
    </Menu>
  );
}
