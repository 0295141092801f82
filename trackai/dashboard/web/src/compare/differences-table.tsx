// The table of differences: a row for each key and metric, a column for each run.

import { useState } from "preact/hooks";
import { runColor } from "../ui/colors";
import { Checkbox, contains, Options, SearchInput, Select } from "../ui/controls";
import { CutName } from "../ui/cut-name";
import { useMaxRows } from "../ui/more-rows";
import { keepingView, replaceParameters, textParameter } from "../view/address";
import { Link } from "../view/link";
import { type ComparedRun, hoveredRun } from "./compared-runs";
import { ConfigRow, MetricRow } from "./difference-row";
import { fieldTitle, hasValue, isDifferent } from "./fields";

const identicalParameter = textParameter("all");

interface Props {
  projectId: number;
  runs: ComparedRun[];
  config: string[];
  metrics: string[];
  figure: string;
  figures: string[];
}

export function DifferencesTable({ projectId, runs, config, metrics, figure, figures }: Props) {
  const [search, setSearch] = useState("");
  const showsIdentical = identicalParameter.value === "1";
  const matches = (field: string) => contains(fieldTitle(field), search);
  const isLogged = (field: string) => runs.some((run) => hasValue(run.values[field]));
  const present = config.filter(isLogged);
  const different = config.filter((field) => isDifferent(runs, field));
  const keys = (showsIdentical ? present : different).filter(matches);
  const shownMetrics = metrics.filter((field) => matches(field) && isLogged(field));
  const [maxRows, moreButton] = useMaxRows(keys.length, shownMetrics.length);
  const noKeys = search ? "No keys match." : "All runs have the same configuration.";
  const noMetrics = search ? "No metrics match." : "These runs have no metrics.";
  return (
    <section class="differences" aria-label="Differences">
      <header>
        <h2>Side by side</h2>
        <SearchInput label="Search keys and metrics" value={search} onSearch={setSearch} />
        <Checkbox
          checked={showsIdentical}
          onChange={(checked) => replaceParameters({ all: checked ? 1 : undefined })}
        >
          Show identical keys ({present.length - different.length})
        </Checkbox>
        <Select
          label="Metrics"
          value={figure}
          onSelect={(selected) => replaceParameters({ figure: selected })}
        >
          <Options values={figures} />
        </Select>
      </header>
      <div class="wide" tabIndex={0} role="region" aria-label="Values of the runs">
        <table
          onPointerLeave={() => {
            hoveredRun.value = undefined;
          }}
        >
          <RunHeaders projectId={projectId} runs={runs} />
          <tbody>
            <SectionHeading
              columns={runs.length}
              name="Configuration"
              note={keys.length > 0 ? "" : noKeys}
            />
            {keys.slice(0, maxRows).map((field) => (
              <ConfigRow key={field} field={field} runs={runs} />
            ))}
          </tbody>
          <tbody>
            <SectionHeading
              columns={runs.length}
              name={`Metrics, ${figure}`}
              note={shownMetrics.length > 0 ? "" : noMetrics}
            />
            {shownMetrics.slice(0, maxRows).map((field) => (
              <MetricRow key={field} field={field} runs={runs} />
            ))}
          </tbody>
        </table>
      </div>
      {moreButton}
    </section>
  );
}

const RunHeaders = ({ projectId, runs }: { projectId: number; runs: ComparedRun[] }) => (
  <thead>
    <tr>
      <th scope="col" class="key">
        Run
      </th>
      {runs.map((run) => (
        <th
          key={run.id}
          scope="col"
          class={run.id === hoveredRun.value ? "here" : undefined}
          onPointerEnter={() => {
            hoveredRun.value = run.id;
          }}
        >
          <i class="dot" style={{ background: runColor(run.id) }} />
          <Link
            to={keepingView({ run: run.id, project: projectId })}
            aria-label={run.name}
            title={run.name}
          >
            <CutName name={run.name} />
          </Link>
        </th>
      ))}
    </tr>
  </thead>
);

interface HeadingProps {
  columns: number;
  name: string;
  note: string;
}

const SectionHeading = ({ columns, name, note }: HeadingProps) => (
  <tr class="part">
    <th scope="rowgroup" class="key">
      {name}
    </th>
    <td colSpan={columns}>{note}</td>
  </tr>
);
