// A table of what is different: a row for each key and metric, a column for each run.

import { useState } from "preact/hooks";
import { color } from "./colors";
import { type Compared, differs, numeric, pointed, same, title } from "./comparison";
import { value } from "./format";
import { address, follow, go, text, within } from "./view";

// More rows than these are shown when they are asked for.
const ROWS = 200;
// Among more runs than these, nearly everything is different from the first.
const TINTED = 6;
// Of which metrics more, or less, is better, by words of their names; of any other, neither is.
const MORE =
  /acc$|accuracy$|^(f1|auc|auroc|roc|score|reward|return|precision|recall|bleu|rouge|r2|map|iou|psnr|ssim)$/;
const LESS = /loss$|^(nll|err|error|errors|mse|mae|rmse|perplexity|ppl|wer|cer|fid)$/;
// The scale of a loss is none.
const SETTING = /^(scale|weight|coef|count)$/;

const everything = text("all");
// What somebody has said of a metric, each as "more NAME" or "less NAME".
const better = text("better");

interface Props {
  projectId: number;
  runs: Compared[];
  config: string[];
  metrics: string[];
  figure: string;
  figures: string[];
}

export function Differences({ projectId, runs, config, metrics, figure, figures }: Props) {
  const [search, setSearch] = useState("");
  const [more, setMore] = useState(false);
  const all = everything.value === "1";
  const matches = (field: string) => title(field).toLowerCase().includes(search.toLowerCase());
  const has = (field: string) =>
    runs.some((one) => one.values[field] !== null && one.values[field] !== undefined);
  const keys = config.filter(
    (field) => matches(field) && (all ? has(field) : differs(runs, field)),
  );
  const rows = metrics.filter((field) => matches(field) && has(field));
  const equal = config.filter(has).length - config.filter((field) => differs(runs, field)).length;
  const most = more ? Infinity : ROWS;
  return (
    <section class="differences" aria-label="Differences">
      <header>
        <h2>Side by side</h2>
        <input
          type="search"
          aria-label="Search keys and metrics"
          placeholder="Search keys and metrics"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
        <label>
          <input
            type="checkbox"
            checked={all}
            onChange={(event) =>
              go({ all: event.currentTarget.checked ? 1 : undefined }, { replace: true })
            }
          />
          keys that are the same, too ({equal})
        </label>
        <label>
          Metrics
          <select
            value={figure}
            onChange={(event) => go({ figure: event.currentTarget.value }, { replace: true })}
          >
            {figures.map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </select>
        </label>
      </header>
      <div class="wide" tabIndex={0} role="region" aria-label="Values of the runs">
        <table onPointerLeave={() => (pointed.value = undefined)}>
          <thead>
            <tr>
              <th scope="col" class="key">
                Run
              </th>
              {runs.map((run) => {
                const there = within({ run: run.id, project: projectId });
                return (
                  <th
                    key={run.id}
                    scope="col"
                    class={run.id === pointed.value ? "here" : undefined}
                    onPointerEnter={() => (pointed.value = run.id)}
                  >
                    <i class="dot" style={{ background: color(run.id) }} />
                    <a
                      href={address(there, false)}
                      title={run.name}
                      onClick={(event) => follow(event, there)}
                    >
                      {run.name}
                    </a>
                  </th>
                );
              })}
            </tr>
          </thead>
          <tbody>
            <Heading
              runs={runs}
              name="Configuration"
              none={
                keys.length > 0
                  ? ""
                  : search
                    ? "Nothing is called that."
                    : "The runs have the same configuration."
              }
            />
            {keys.slice(0, most).map((field) => (
              <Row key={field} field={field} runs={runs} />
            ))}
          </tbody>
          <tbody>
            <Heading
              runs={runs}
              name={`Metrics, ${figure}`}
              none={rows.length > 0 ? "" : "None of these runs has one."}
            />
            {rows.slice(0, most).map((field) => (
              <Row key={field} field={field} runs={runs} metric />
            ))}
          </tbody>
        </table>
      </div>
      {Math.max(keys.length, rows.length) > most && (
        <p>
          <button type="button" onClick={() => setMore(true)}>
            Show all {keys.length + rows.length} rows
          </button>
        </p>
      )}
    </section>
  );
}

function Heading({ runs, name, none }: { runs: Compared[]; name: string; none: string }) {
  return (
    <tr class="part">
      <th scope="rowgroup" class="key">
        {name}
      </th>
      <td colSpan={runs.length}>{none}</td>
    </tr>
  );
}

type Way = "more" | "less" | undefined;

function byName(field: string): Way {
  const words = title(bare(field))
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/);
  // What comes last says what it is: an error of a score is an error.
  const known = words.reverse().find((one) => LESS.test(one) || MORE.test(one));
  if (!known || SETTING.test(words[0] as string)) return undefined;
  return LESS.test(known) ? "less" : "more";
}

/** Which way is better: as somebody said, else as the name says. */
function wayOf(field: string): Way {
  const said = better.value.split("\n").find((one) => one.slice(5) === bare(field));
  return said ? (said.slice(0, 4) as Way) : byName(field);
}

/** The other way; what neither is known of becomes more, then less, then neither again. */
function turn(field: string): void {
  const mine = bare(field);
  const way = wayOf(field);
  const next = way === "more" ? "less" : way === "less" && !byName(field) ? undefined : "more";
  const others = better.value.split("\n").filter((one) => one && one.slice(5) !== mine);
  go(
    {
      better: [...others, ...(next && next !== byName(field) ? [`${next} ${mine}`] : [])].join(
        "\n",
      ),
    },
    { replace: true },
  );
}

// Without its figure: which way is better does not depend on it.
const bare = (field: string): string => field.replace(/\.\w+$/, "");

const SAID = {
  more: ["More of", "is better", "↑"],
  less: ["Less of", "is better", "↓"],
  neither: ["Neither way of", "is known to be better", "–"],
} as const;

function Row({
  field,
  runs,
  metric = false,
}: {
  field: string;
  runs: Compared[];
  metric?: boolean;
}) {
  const numbers = runs.flatMap((one) => numeric(one.values[field]) ?? []);
  // Where all are equal, none is the best.
  const told = metric && new Set(numbers).size > 1;
  const way = metric ? wayOf(field) : undefined;
  const best = told && way ? (way === "more" ? Math.max : Math.min)(...numbers) : undefined;
  const [before, after, sign] = SAID[way ?? "neither"];
  const name = metric ? title(bare(field)) : title(field);
  const first = same(runs[0]?.values[field]);
  return (
    <tr>
      <th scope="row" class="key" title={name}>
        <span>{name}</span>
        {told && (
          <button
            type="button"
            class="quiet"
            aria-label={`${before} ${name} ${after}: change`}
            title={`${before} it ${after}`}
            onClick={() => turn(field)}
          >
            {sign}
          </button>
        )}
      </th>
      {runs.map((run) => {
        const one = run.values[field];
        const lead = best !== undefined && one === best;
        const classes = [
          lead && "best",
          runs.length <= TINTED && !metric && same(one) !== first && "other",
          run.id === pointed.value && "here",
        ];
        return (
          <td
            key={run.id}
            class={classes.filter(Boolean).join(" ") || undefined}
            title={one === null || one === undefined ? undefined : String(one)}
            onPointerEnter={() => (pointed.value = run.id)}
          >
            {value(one)}
            {lead && <span class="unseen"> best</span>}
          </td>
        );
      })}
    </tr>
  );
}
