// How charts are drawn: the axes, smoothing, and means of groups.

import { useState } from "preact/hooks";
import { Checkbox, Options, Select } from "../ui/controls";
import { replaceParameters } from "../view/address";
import {
  type Band,
  band,
  clipOutliers,
  logX,
  logY,
  meanBy,
  metricSearch,
  smoothing,
  xAxis,
} from "../view/parameters";

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
        onInput={(event) => replaceParameters({ metrics: event.currentTarget.value })}
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
      <Select
        label="X"
        value={xAxis.value}
        onSelect={(axis) => replaceParameters({ x: axis, range: undefined })}
      >
        <Options values={["step", "relative", "time"]} />
      </Select>
      <Smoothing />
      {fields && <LinesSelect fields={fields} />}
      {fields && meanBy.value && <BandSelect />}
      <Checkbox
        checked={logX.value}
        onChange={(checked) => replaceParameters({ xscale: checked ? "log" : undefined })}
      >
        Log x
      </Checkbox>
      <Checkbox
        checked={logY.value}
        onChange={(checked) => replaceParameters({ scale: checked ? "log" : undefined })}
      >
        Log y
      </Checkbox>
      <Checkbox
        checked={clipOutliers.value}
        onChange={(checked) => replaceParameters({ clip: checked ? undefined : 0 })}
      >
        Clip outliers
      </Checkbox>
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
          replaceParameters({ smooth: value || undefined });
        }}
        onChange={() => setDragged(undefined)}
      />
      <output>{amount.toFixed(2)}</output>
    </label>
  );
}

const BANDS: Record<Band, string> = {
  deviation: "mean ± deviation",
  error: "mean ± standard error",
  range: "mean, min – max",
  quartiles: "median, quartiles",
};

const BandSelect = () => (
  <Select
    label="Band"
    value={band.value}
    onSelect={(kind) => replaceParameters({ band: kind === "deviation" ? undefined : kind })}
  >
    <Options values={Object.keys(BANDS)} text={(kind) => BANDS[kind as Band]} />
  </Select>
);

function LinesSelect({ fields }: { fields: string[] }) {
  const selected = meanBy.value;
  const choices = ["group", "tag", ...fields];
  const isUnknown = selected !== "" && selected !== "all" && !choices.includes(selected);
  return (
    <Select
      label="Lines"
      value={selected || "none"}
      onSelect={(field) => replaceParameters({ mean: field })}
    >
      <option value="none">each run</option>
      <option value="all">mean of all</option>
      <optgroup label="mean by">
        <Options
          values={isUnknown ? [selected, ...choices] : choices}
          text={(field) => field.replace(/(^|,)config\./g, "$1")}
        />
      </optgroup>
    </Select>
  );
}
