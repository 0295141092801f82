// How much each parameter says about the target, computed by the server over all matching runs.

import { usePolled } from "../api/polling";
import { getImportance, type Importance, type ParameterImportance } from "../api/sweeps";
import { fieldTitle } from "../compare/fields";
import { grouped, plural } from "../ui/format";
import { ErrorMessage, Loading } from "../ui/messages";
import { replaceParameters } from "../view/address";
import { aboutTyped } from "../view/filter-text";
import { filter, filterText, shelf } from "../view/parameters";
import { printList } from "../view/parsing";
import { targetName } from "./target";

const MAX_AXES = 6;
// A forest that explains less is not worth reading.
const WEAK = 0.1;

export function ImportancePanel({ id, target }: { id: number; target: string }) {
  const { data, error } = usePolled(
    async () => ({
      filter: filter.value,
      importance: await getImportance(id, target, filter.value),
    }),
    0,
    [id, target, filter.value],
  );
  const isCurrent = data?.importance.target === target && data.filter === filter.value;
  return (
    <section class="panel-box importance" aria-label="Importance of parameters">
      <header>
        <h2>Importance for {targetName(target)}</h2>
        {isCurrent && <AxesButton parameters={data.importance.parameters} />}
      </header>
      <ErrorMessage message={error && aboutTyped(error, filterText.value, shelf.value)} />
      {isCurrent ? <Parameters importance={data.importance} /> : !error && <Loading />}
    </section>
  );
}

/** Shows the most important parameters in the plots. */
function AxesButton({ parameters }: { parameters: ParameterImportance[] }) {
  const fields = parameters.filter(({ importance }) => importance).map(({ field }) => field);
  const [first, second] = fields;
  if (!first) return null;
  const show = () =>
    replaceParameters({
      axes: printList(fields.slice(0, MAX_AXES)),
      sx: first,
      cx: first,
      cy: second ?? first,
      brush: undefined,
    });
  return (
    <button type="button" onClick={show}>
      Plot the most important
    </button>
  );
}

function Parameters({ importance }: { importance: Importance }) {
  const { parameters, unused } = importance;
  const varying = parameters.filter(({ values, runs }) => values > 1 || runs < importance.runs);
  const constant = parameters.length - varying.length;
  return (
    <>
      <p class="faint">{describe(importance)}</p>
      {varying.length > 0 && (
        <div class="scrolling" tabIndex={0} role="group" aria-label="Parameters">
          <table>
            <thead>
              <tr>
                <th scope="col">Parameter</th>
                <th scope="col" title={importance.method}>
                  Importance
                </th>
                <th scope="col" title="Spearman's rank correlation">
                  Correlation
                </th>
                <th scope="col">Runs</th>
              </tr>
            </thead>
            <tbody>
              {varying.map((parameter) => (
                <ParameterRow key={parameter.field} parameter={parameter} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {constant > 0 && (
        <p class="faint">
          {plural(constant, "parameter")} with the same value in all runs: importance 0.
        </p>
      )}
      {unused.length > 0 && (
        <details class="faint">
          <summary>{plural(unused.length, "parameter")} left out</summary>
          <ul>
            {unused.map(({ field, reason }) => (
              <li key={field}>
                {fieldTitle(field)}: {reason}
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

function describe(importance: Importance): string {
  const { runs, sampled, matching, missing, nans, infinite, r_squared, problem } = importance;
  const of = sampled < matching ? `a sample of ${grouped(sampled)} of ` : "";
  const parts = [`${plural(runs, "run")} with a value, of ${of}${grouped(matching)}.`];
  if (missing > 0) parts.push(`${plural(missing, "run")} without a value left out.`);
  if (nans > 0) parts.push(`${plural(nans, "run")} with NaN left out.`);
  if (infinite > 0) parts.push(`${plural(infinite, "run")} with an infinity ranked at the end.`);
  if (problem) return [...parts, `No importance: ${problem}.`].join(" ");
  if (r_squared === null) return [...parts, "No parameter varies."].join(" ");
  parts.push("Random forest on ranks, by permutation; categories in one split, numbers in bins.");
  const share = `${Math.round(100 * Math.max(0, r_squared))} %`;
  parts.push(
    r_squared < WEAK
      ? `It explains only ${share} of the variance of other runs: do not rely on the importance.`
      : `It explains ${share} of the variance of runs it has not seen.`,
  );
  return parts.join(" ");
}

function ParameterRow({ parameter }: { parameter: ParameterImportance }) {
  const { field, kind, runs, values, importance, correlation } = parameter;
  const name = fieldTitle(field);
  return (
    <tr>
      <th scope="row" title={`${name}: ${plural(values, "different value")}, ${kind}`}>
        <button
          type="button"
          class="quiet"
          title={`Show ${name} in the scatter plot`}
          onClick={() => replaceParameters({ sx: field })}
        >
          {name}
        </button>
      </th>
      <td>
        {importance === null ? (
          "–"
        ) : (
          <>
            <span class="bar" style={{ width: `${Math.round(72 * importance)}px` }} />
            {importance.toFixed(3)}
          </>
        )}
      </td>
      <td title={correlation === null && kind === "category" ? "Not of categories" : undefined}>
        {correlation === null ? "–" : correlation.toFixed(2).replace("-", "−")}
      </td>
      <td>{grouped(runs)}</td>
    </tr>
  );
}
