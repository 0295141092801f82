// The last, least and greatest value of each metric of a run.

import { Fragment } from "preact";
import type { AnyNumber, Figures } from "../api/types";
import { contains } from "../ui/controls";
import { formatValue } from "../ui/format";
import { useMaxRows } from "../ui/more-rows";
import { useSearchBox } from "../ui/use-search-box";

interface Props {
  figures: Figures[];
  /** Whether the run has logged nothing of any kind. */
  isEmpty: boolean;
}

export function MetricsSection({ figures, isEmpty }: Props) {
  const [search, searchBox] = useSearchBox(figures.length, "metrics");
  const matches = figures.filter(({ path }) => contains(path, search));
  const [maxRows, moreButton] = useMaxRows(matches.length);
  if (figures.length === 0 && !isEmpty) return null;
  return (
    <section class="facts" aria-label="Summary">
      <header>
        <h2>Summary</h2>
        {searchBox}
      </header>
      {isEmpty && <p class="empty">No metrics yet. Log some with {'run.log({"loss": 0.5})'}.</p>}
      {figures.length > 0 && (
        <table>
          <thead>
            <tr>
              <th scope="col">metric</th>
              <th scope="col">last</th>
              <th scope="col">min</th>
              <th scope="col">max</th>
            </tr>
          </thead>
          <tbody>
            {matches.slice(0, maxRows).map((metric) => (
              <MetricRow key={`${metric.axis} ${metric.path}`} metric={metric} />
            ))}
          </tbody>
        </table>
      )}
      {moreButton}
    </section>
  );
}

function MetricRow({ metric }: { metric: Figures }) {
  const { path, last, min, max, min_step, max_step } = metric;
  const hasSteps = metric.axis === "step";
  return (
    <tr>
      <th scope="row">
        {path.split(/(?<=[/_])/).map((part, index) => (
          <Fragment key={index}>
            {part}
            <wbr />
          </Fragment>
        ))}
      </th>
      <FigureCell value={last} step={null} />
      <FigureCell value={min} step={hasSteps ? min_step : null} />
      <FigureCell value={max} step={hasSteps ? max_step : null} />
    </tr>
  );
}

function FigureCell({ value, step }: { value: unknown; step: AnyNumber | null }) {
  if (value === null) return <td>{formatValue(value)}</td>;
  const atStep = step === null ? "" : ` at step ${step}`;
  return (
    <td title={`${value}${atStep}`}>
      {formatValue(value)}
      {step !== null && <small aria-label={atStep}>@{formatValue(step)}</small>}
    </td>
  );
}
