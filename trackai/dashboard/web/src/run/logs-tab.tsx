// The text that a run has logged.

import { useRef } from "preact/hooks";
import { Options, Select } from "../ui/controls";
import { useLiveInput } from "../ui/live-input";
import { replaceParameters, textParameter } from "../view/address";
import { LogLines } from "./log-lines";

// Typing searches after a pause.
const SEARCH_DELAY_MS = 250;

const pathParameter = textParameter("log");
const searchParameter = textParameter("find");
/** The step or the time of the line that a link leads to. */
const atParameter = textParameter("at");

interface Props {
  runId: number;
  paths: string[];
  running: boolean;
}

export function LogsTab({ runId, paths, running }: Props) {
  const defaultPath = paths.find((path) => path.includes("stdout")) ?? paths[0];
  const path = paths.includes(pathParameter.value) ? pathParameter.value : defaultPath;
  if (!path) {
    return <p class="empty">No logs yet. Log text with {'run.log({"stdout": "a line"})'}.</p>;
  }
  return (
    <div class="log">
      <form class="tools" onSubmit={(event) => event.preventDefault()}>
        {paths.length > 1 && (
          <Select
            label="Series"
            value={path}
            onSelect={(selected) => replaceParameters({ log: selected, at: undefined })}
          >
            <Options values={paths} />
          </Select>
        )}
        <SearchBox />
      </form>
      <LogLines
        key={[path, searchParameter.value, atParameter.value].join("\u0000")}
        runId={runId}
        path={path}
        search={searchParameter.value}
        at={atParameter.value}
        running={running}
      />
    </div>
  );
}

function SearchBox() {
  const timer = useRef(0);
  const input = useLiveInput(searchParameter.value);
  return (
    <input
      type="search"
      aria-label="Search log"
      placeholder="Search log"
      ref={input}
      spellcheck={false}
      onInput={(event) => {
        const text = event.currentTarget.value;
        clearTimeout(timer.current);
        timer.current = window.setTimeout(() => replaceParameters({ find: text }), SEARCH_DELAY_MS);
      }}
    />
  );
}
