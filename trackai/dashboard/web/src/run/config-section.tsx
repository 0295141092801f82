// The configuration of a run.

import { contains } from "../ui/controls";
import { CopyButton } from "../ui/copy-button";
import { copyFullValues } from "../ui/copy-full";
import { readable } from "../ui/format";
import { toJson } from "../ui/json";
import { useMaxRows } from "../ui/more-rows";
import { useSearchBox } from "../ui/use-search-box";
import { compareNatural } from "../ui/values";
import { nestConfig } from "./nest-config";

export function ConfigSection({ config }: { config: Record<string, unknown> | undefined }) {
  const entries = Object.entries(config ?? {}).sort(([left], [right]) =>
    compareNatural(left, right),
  );
  const [search, searchBox] = useSearchBox(entries.length, "configuration");
  const matches = entries.filter(([key, value]) => contains(`${key} ${toJson(value)}`, search));
  const [maxRows, moreButton] = useMaxRows(matches.length);
  const isEmpty = entries.length === 0;
  return (
    <section class="facts" aria-label="Configuration">
      <header>
        <h2>Configuration</h2>
        {searchBox}
        {!isEmpty && (
          <CopyButton
            text={() => toJson(nestConfig(entries), 2)}
            label="Copy the configuration as JSON"
          >
            Copy JSON
          </CopyButton>
        )}
      </header>
      {config && isEmpty && (
        <p class="empty">No configuration. Pass one to {'trackai.init(config={"lr": 0.01})'}.</p>
      )}
      {!isEmpty && matches.length === 0 && <p class="empty">No entries match.</p>}
      <table class="config" onCopy={copyFullValues}>
        <tbody>
          {matches.slice(0, maxRows).map(([key, value]) => (
            <ConfigRow key={key} name={key} text={configText(value)} shown={readable(value)} />
          ))}
        </tbody>
      </table>
      {moreButton}
    </section>
  );
}

interface RowProps {
  name: string;
  /** What is copied, and what is shown unless `shown` is shorter. */
  text: string;
  shown?: string;
}

export const ConfigRow = ({ name, text, shown = text }: RowProps) => (
  <tr>
    <th scope="row">{name}</th>
    <td title={text}>
      <span data-value={text}>{shown}</span>
      <CopyButton text={() => text} label={`Copy ${name}`} />
    </td>
  </tr>
);

export const configText = (value: unknown): string =>
  typeof value === "string" ? value : toJson(value);
