// Copying all lines of a log, of which only the visible ones are in the page.

import { getLog } from "../api/media";
import { CopyButton } from "../ui/copy-button";
import { grouped } from "../ui/format";
import { copiedText, terminalText } from "./log-text";

const MAX_LINES = 10_000;

interface Props {
  runId: number;
  path: string;
  search: string;
  total: number;
}

export function CopyLines({ runId, path, search, total }: Props) {
  const copy = async () => {
    const offset = Math.max(0, total - MAX_LINES);
    const { lines } = await getLog(runId, { metric: path, search, limit: MAX_LINES, offset });
    return lines.map((line) => `${copiedText(terminalText(line.text))}\n`).join("");
  };
  const count = total > MAX_LINES ? `last ${grouped(MAX_LINES)} lines` : "all lines";
  return (
    <CopyButton text={copy} label={`Copy the ${count}`}>
      {`Copy ${count}`}
    </CopyButton>
  );
}
