// How charts are drawn: the axes, smoothing, and means of groups.

import { useState } from "preact/hooks";
import { go } from "../view/address";
import {
  clipOutliers,
  logX,
  logY,
  meanBy,
  metricSearch,
  smoothing,
  xAxis,
} from "../view/parameters";
import type { Change } from "../view/parsing";

const set = (change: Change) => go(change, { replace: true });

interface SearchProps {
  matches: number;
  total: number;
  problem: string;
}

export function MetricSearch({ matches, total, problem }: SearchProps) {
  return (
    <span class="find">
      <input
        type="search"
        aria-label="Search metrics"
        placeholder="Search metrics"
        value={metricSearch.value}
        spellcheck={false}
        aria-invalid={problem ? "true" : undefined}
        title="Part of a name, or a regular expression"
        onInput={(event) => set({ metrics: event.currentTarget.value })}
      />
      {metricSearch.value && (
        <output>
          {matches} of {total}
        </output>
      )}
      {problem && <output class="problem">{problem}</output>}
    </span>
  );
}

/** With `fields`, charts can show means of the runs that have the same value of one of them. */
export function ChartTools({ fields }: { fields: string[] | undefined }) {
  return (
    <>
      <label>
        X axis
        <select
          value={xAxis.value}
          onChange={(event) => set({ x: event.currentTarget.value, range: undefined })}
        >
          <option value="step">step</option>
          <option value="relative">relative time</option>
          <option value="time">time</option>
        </select>
      </label>
      <Smoothing />
      {fields && <LinesSelect fields={fields} />}
      <Toggle
        name="Log x"
        checked={logX.value}
        onChange={(checked) => set({ xscale: checked ? "log" : undefined })}
      />
      <Toggle
        name="Log y"
        checked={logY.value}
        onChange={(checked) => set({ scale: checked ? "log" : undefined })}
      />
      <Toggle
        name="Clip outliers"
        checked={clipOutliers.value}
        onChange={(checked) => set({ clip: checked ? 1 : undefined })}
      />
    </>
  );
}

function Smoothing() {
  // The number follows the drag at once; the charts follow the address.
  const [dragged, setDragged] = useState<number>();
  const amount = dragged ?? smoothing.value;
  return (
    <label>
      Smoothing
      <input
        type="range"
        min="0"
        max="0.99"
        step="0.01"
        value={amount}
        onInput={(event) => {
          const value = Number(event.currentTarget.value);
          setDragged(value);
          set({ smooth: value || undefined });
        }}
        onChange={() => setDragged(undefined)}
      />
      <output>{amount.toFixed(2)}</output>
    </label>
  );
}

interface ToggleProps {
  name: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
}

const Toggle = ({ name, checked, onChange }: ToggleProps) => (
  <label>
    <input
      type="checkbox"
      checked={checked}
      onChange={(event) => onChange(event.currentTarget.checked)}
    />
    {name}
  </label>
);

function LinesSelect({ fields }: { fields: string[] }) {
  const selected = meanBy.value;
  const choices = ["group", ...fields];
  const isUnknown = selected !== "" && selected !== "all" && !choices.includes(selected);
  return (
    <label>
      Lines
      <select
        value={selected || "none"}
        onChange={(event) => set({ mean: event.currentTarget.value })}
      >
        <option value="none">each run</option>
        <option value="all">mean of all runs</option>
        <optgroup label="mean by">
          {(isUnknown ? [selected, ...choices] : choices).map((field) => (
            <option key={field} value={field}>
              {field.replace(/^config\./, "")}
            </option>
          ))}
        </optgroup>
      </select>
    </label>
  );
}
