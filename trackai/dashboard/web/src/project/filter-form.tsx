// The filter above the table, and help on its syntax.

import { useLiveInput } from "../ui/live-input";
import { Menu } from "../ui/popover";
import { replaceParameters } from "../view/address";
import { filterText } from "../view/parameters";

const EXAMPLES = `config.opt/lr < 0.01
metric.val/loss.min <= 0.5
state = running
tag = baseline
env.git/branch = main
name ~ "old"`;

export function FilterForm() {
  const input = useLiveInput(filterText.value);
  return (
    <form class="tools" onSubmit={(event) => event.preventDefault()}>
      <input
        type="search"
        aria-label="Filter runs"
        aria-describedby="filter-problem"
        ref={input}
        spellcheck={false}
        placeholder="Name, or config.lr < 0.01 and tag = good"
        onChange={(event) => replaceParameters({ filter: event.currentTarget.value })}
      />
      <FilterHelp />
    </form>
  );
}

const FilterHelp = () => (
  <Menu summary="Help">
    <p>
      Enter part of a name, or a field, an operator and a value. Press Enter to apply the filter.
    </p>
    <pre>{EXAMPLES}</pre>
    <p>
      Fields are <code>config.KEY</code>, <code>env.KEY</code>, <code>metric.NAME</code> with{" "}
      <code>.min .max .mean .last</code>, and{" "}
      <code>name group state tag notes created duration</code>. Operators are{" "}
      <code>= != &lt; &lt;= &gt; &gt;= ~ !~</code>, combined with <code>and or not ( )</code>. Quote
      values that contain spaces.
    </p>
  </Menu>
);
