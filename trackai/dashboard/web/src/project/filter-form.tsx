// The filter above the table: completion while it is typed, what is wrong with it, and help.

import { useState } from "preact/hooks";
import type { Columns } from "../api/types";
import { useLiveInput } from "../ui/live-input";
import { Menu } from "../ui/popover";
import { replaceParameters } from "../view/address";
import { matching, type Place, placeAt } from "../view/filter-completion";
import { indexOfPosition } from "../view/filter-text";
import { filterProblem, filterText } from "../view/parameters";
import { useOptions } from "./filter-options";

const EXAMPLES = `lr < 0.01 and tag = baseline
metric.val/loss.min <= 0.5
state = running
env.git/branch = main
name ~ "old"
name =~ "^sweep-[0-9]+$"
archived = true`;

// More options than these cannot be looked through.
const MAX_SHOWN = 50;
const LIST = "filter-options";
const optionId = (index: number): string => `filter-option-${index}`;

interface Props {
  projectId: number;
  columns: Columns | undefined;
}

export function FilterForm({ projectId, columns }: Props) {
  const input = useLiveInput(filterText.value);
  const [place, setPlace] = useState<Place>();
  const [active, setActive] = useState(-1);
  const options = useOptions(projectId, columns, place);
  const shown = place ? matching(options, place.typed).slice(0, MAX_SHOWN) : [];
  // What is typed in full needs no list.
  const isOpen = shown.length > 0 && !(shown.length === 1 && shown[0]?.text === place?.typed);
  const close = () => {
    setPlace(undefined);
    setActive(-1);
  };
  const open = () => {
    const box = input.current;
    if (!box) return;
    setPlace(placeAt(box.value, box.selectionStart ?? box.value.length));
    setActive(-1);
  };
  const apply = () => {
    close();
    const text = input.current?.value ?? "";
    if (text !== filterText.value) replaceParameters({ filter: text });
  };
  const complete = (text: string) => {
    const box = input.current;
    if (!place || !box) return;
    const rest = box.value.slice(place.end);
    const inserted = rest.startsWith(" ") ? text : `${text} `;
    box.setRangeText(inserted, place.start, place.end, "end");
    box.focus();
    open();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      if (isOpen) setActive(nextActive(active, step, shown.length));
      else open();
    } else if (event.key === "Enter") {
      event.preventDefault();
      const chosen = isOpen ? shown[active] : undefined;
      if (chosen) complete(chosen.text);
      else apply();
    } else if (event.key === "Escape" && isOpen) {
      event.preventDefault();
      close();
    }
  };
  return (
    <form class="tools filter" onSubmit={(event) => event.preventDefault()}>
      <span class="combobox">
        <input
          type="search"
          role="combobox"
          aria-label="Filter runs"
          aria-autocomplete="list"
          aria-expanded={isOpen}
          aria-controls={LIST}
          aria-activedescendant={isOpen && active >= 0 ? optionId(active) : undefined}
          aria-describedby="filter-problem"
          aria-invalid={filterProblem.value !== ""}
          ref={input}
          autocomplete="off"
          spellcheck={false}
          placeholder="Name, or lr < 0.01 and tag = good"
          onInput={open}
          onKeyDown={onKeyDown}
          onChange={apply}
          onBlur={apply}
        />
        <div id={LIST} role="listbox" aria-label="Completions" hidden={!isOpen}>
          {isOpen &&
            shown.map(({ text, hint }, index) => (
              // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the combobox
              <div
                key={text}
                id={optionId(index)}
                role="option"
                aria-selected={index === active}
                ref={index === active ? scrollIntoView : undefined}
                onPointerDown={(event) => event.preventDefault()}
                onClick={() => complete(text)}
              >
                <span>{text}</span> <span class="faint">{hint}</span>
              </div>
            ))}
        </div>
      </span>
      <FilterHelp />
      <ProblemPlace />
    </form>
  );
}

/** The option after another one; -1 stands before the first. */
function nextActive(active: number, step: number, count: number): number {
  const next = active + step;
  if (next >= count) return -1;
  return next < -1 ? count - 1 : next;
}

const scrollIntoView = (option: HTMLElement | null): void =>
  option?.scrollIntoView({ block: "nearest" });

/** The part of the filter that cannot be read; the message says what is wrong with it. */
function ProblemPlace() {
  const position = /at position (\d+)/.exec(filterProblem.value)?.[1];
  const text = filterText.value;
  if (!position) return null;
  const at = indexOfPosition(text, Number(position));
  const { start, end } = placeAt(text, at + 1);
  return (
    <p class="problem-place" aria-hidden="true">
      {text.slice(0, Math.min(start, at))}
      <mark>{text.slice(Math.min(start, at), end) || "…"}</mark>
      {text.slice(end)}
    </p>
  );
}

const FilterHelp = () => (
  <Menu summary="Help">
    <p>
      Enter part of a name, or a field, an operator and a value. Press Enter to apply the filter,
      and the down arrow to complete what you type.
    </p>
    <pre>{EXAMPLES}</pre>
    <p>
      Fields are <code>config.KEY</code>, <code>env.KEY</code>, <code>metric.NAME</code> with{" "}
      <code>.min .max .mean .last</code>, and{" "}
      <code>name group state tag notes created duration archived</code>. A key or metric needs no
      prefix if only one has its name. Operators are{" "}
      <code>= != &lt; &lt;= &gt; &gt;= ~ !~ =~ !=~</code>, combined with <code>and or not ( )</code>
      . <code>~</code> is "contains", and <code>=~</code> a regular expression. Quote values that
      contain spaces.
    </p>
  </Menu>
);
