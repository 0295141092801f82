// Where a run runs: git, command line, Python, machine and launcher.

import { contains } from "../ui/controls";
import { useMaxRows } from "../ui/more-rows";
import { useSearchBox } from "../ui/use-search-box";
import { compareNatural } from "../ui/values";
import { Link } from "../view/link";
import { ConfigRow, configText } from "./config-section";

// Facts that are the names of files of the run.
const FILE_FACTS = ["git/diff", "packages"];

/** Nothing for a run without facts: those of scripts that do not want any, and imported ones. */
export function EnvironmentSection({ facts }: { facts: Record<string, unknown> | undefined }) {
  const entries = Object.entries(facts ?? {}).sort(([left], [right]) =>
    compareNatural(left, right),
  );
  const [search, searchBox] = useSearchBox(entries.length, "environment");
  const matches = entries.filter(([key, value]) => contains(`${key} ${configText(value)}`, search));
  const [maxRows, moreButton] = useMaxRows(matches.length);
  if (entries.length === 0) return null;
  return (
    <section class="facts" aria-label="Environment">
      <header>
        <h2>Environment</h2>
        {searchBox}
      </header>
      {matches.length === 0 && <p class="empty">No entries match.</p>}
      <table class="config">
        <tbody>
          {matches
            .slice(0, maxRows)
            .map(([key, value]) =>
              FILE_FACTS.includes(key) ? (
                <FileRow key={key} name={key} path={configText(value)} />
              ) : (
                <ConfigRow key={key} name={key} text={configText(value)} />
              ),
            )}
        </tbody>
      </table>
      {moreButton}
    </section>
  );
}

const FileRow = ({ name, path }: { name: string; path: string }) => (
  <tr>
    <th scope="row">{name}</th>
    <td title={path}>
      <Link to={{ tab: "files", file: path }} keep>
        {path.split("/").at(-1)}
      </Link>
    </td>
  </tr>
);
