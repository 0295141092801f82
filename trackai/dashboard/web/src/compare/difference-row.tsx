// A row of the table of differences: one field of all runs.

import { formatValue } from "../ui/format";
import { isNumber, valueKey } from "../ui/values";
import { replaceParameters, textParameter } from "../view/address";
import { parseList, printList } from "../view/parsing";
import { type Better, bestOf, betterOf, toggleBetter } from "./better";
import { type ComparedRun, hoveredRun } from "./compared-runs";
import { fieldTitle, hasValue, withoutFigure } from "./fields";

// With more runs than these, nearly every value would be highlighted as different from the first.
const MAX_HIGHLIGHTED = 6;

const betterParameter = textParameter("better");

interface Props {
  field: string;
  runs: ComparedRun[];
}

export function ConfigRow({ field, runs }: Props) {
  const name = fieldTitle(field);
  const first = valueKey(runs[0]?.values[field]);
  const highlights = runs.length <= MAX_HIGHLIGHTED;
  return (
    <tr>
      <th scope="row" class="key" title={name}>
        <span>{name}</span>
      </th>
      {runs.map((run) => {
        const value = run.values[field];
        const isOther = highlights && valueKey(value) !== first;
        return <Cell key={run.id} run={run} value={value} mark={isOther ? "other" : undefined} />;
      })}
    </tr>
  );
}

export function MetricRow({ field, runs }: Props) {
  const name = fieldTitle(withoutFigure(field));
  const numbers = runs.map((run) => run.values[field]).filter(isNumber);
  // If all are equal, none is the best.
  const isVaried = new Set(numbers).size > 1;
  const better = betterOf(field, parseList(betterParameter.value));
  const best = isVaried ? bestOf(numbers, better) : undefined;
  return (
    <tr>
      <th scope="row" class="key" title={name}>
        <span>{name}</span>
        {isVaried && <BetterButton field={field} name={name} better={better} />}
      </th>
      {runs.map((run) => {
        const value = run.values[field];
        const isBest = best !== undefined && value === best;
        return <Cell key={run.id} run={run} value={value} mark={isBest ? "best" : undefined} />;
      })}
    </tr>
  );
}

const BETTER_TEXTS = {
  more: {
    sign: "↑",
    text: "Higher is better",
    label: (name: string) => `Higher ${name} is better`,
  },
  less: { sign: "↓", text: "Lower is better", label: (name: string) => `Lower ${name} is better` },
  unknown: {
    sign: "–",
    text: "Neither is better",
    label: (name: string) => `Neither higher nor lower ${name} is better`,
  },
};

interface BetterButtonProps {
  field: string;
  name: string;
  better: Better;
}

function BetterButton({ field, name, better }: BetterButtonProps) {
  const { sign, text, label } = BETTER_TEXTS[better ?? "unknown"];
  const toggle = () => {
    const lines = toggleBetter(field, parseList(betterParameter.value));
    replaceParameters({ better: printList(lines) });
  };
  return (
    <button
      type="button"
      class="quiet"
      aria-label={`${label(name)}. Change`}
      title={`${text}. Click to change`}
      onClick={toggle}
    >
      {sign}
    </button>
  );
}

interface CellProps {
  run: ComparedRun;
  value: unknown;
  mark: "best" | "other" | undefined;
}

function Cell({ run, value, mark }: CellProps) {
  const classes = [mark, run.id === hoveredRun.value && "here"].filter(Boolean).join(" ");
  return (
    <td
      class={classes || undefined}
      title={hasValue(value) ? String(value) : undefined}
      onPointerEnter={() => {
        hoveredRun.value = run.id;
      }}
    >
      {formatValue(value)}
      {mark === "best" && <span class="unseen"> best</span>}
    </td>
  );
}
