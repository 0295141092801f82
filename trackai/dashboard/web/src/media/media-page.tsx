// Files of one name of several runs, side by side, through their steps.

import { useEffect, useState } from "preact/hooks";
import { listSharedPaths } from "../api/media";
import { usePolled } from "../api/polling";
import { getProject } from "../api/projects";
import { fetchNames, missingRuns } from "../api/run-names";
import type { SharedFilePath } from "../api/types";
import { assignColors } from "../ui/colors";
import { SearchInput } from "../ui/controls";
import { plural } from "../ui/format";
import { ErrorMessage, Loading, missingRunsText, PageError } from "../ui/messages";
import { usePageTitle } from "../ui/page-title";
import { keepingView, replaceParameters, textParameter } from "../view/address";
import { chooseIds } from "../view/choice";
import { useCrumbs } from "../view/crumbs";
import { Link } from "../view/link";
import { MissingProject } from "../view/missing-project";
import { choice } from "../view/parameters";
import { useChosenRuns } from "../view/use-chosen-runs";
import { SharedFiles } from "./shared-files";
import { defaultPath } from "./steps";
import "../styles/media.css";

const NO_RUNS = chooseIds([]);
const POLL_MS = 15_000;
// More columns are too many to look at.
const MAX_SHOWN = 24;
// With fewer names, the list needs no search.
const MIN_SEARCHED = 15;

const keyParameter = textParameter("key");

export function MediaPage({ id }: { id: number }) {
  const { data: project, notFound } = usePolled(() => getProject(id), 0, [id]);
  usePageTitle("Media", project?.name);
  useCrumbs(id, project?.name, "Media");
  const { ids: chosen, error: choiceError } = useChosenRuns(id, choice.value ?? NO_RUNS);
  const existing = (chosen ?? []).filter((run) => !missingRuns.value.has(run));
  const missing = (chosen ?? []).length - existing.length;
  const ids = existing.slice(0, MAX_SHOWN);
  assignColors(ids);
  useEffect(() => {
    void fetchNames(ids);
  }, [ids.join()]);
  if (notFound) return <MissingProject />;
  if (choiceError) return <PageError>{choiceError}</PageError>;
  if (!chosen) return <Loading />;
  return (
    <div class="compare media">
      <header>
        <p class="crumb">
          <Link to={keepingView({ project: id })}>← Back to project</Link>
        </p>
        <h1>Media of {plural(ids.length, "run")}</h1>
      </header>
      {existing.length > ids.length && (
        <p class="problem" role="status">
          {ids.length} of {plural(existing.length, "run")} are shown.
        </p>
      )}
      {missing > 0 && (
        <p class="problem" role="status">
          {missingRunsText(missing)}
        </p>
      )}
      {ids.length > 0 ? (
        <MediaOfRuns projectId={id} runIds={ids} />
      ) : (
        <p class="empty">
          Select runs in <Link to={keepingView({ project: id })}>the project</Link>, then click
          Media.
        </p>
      )}
    </div>
  );
}

function MediaOfRuns({ projectId, runIds }: { projectId: number; runIds: number[] }) {
  const [search, setSearch] = useState("");
  const [isLong, setLong] = useState(false);
  const { data, error } = usePolled(() => listSharedPaths(runIds, search), POLL_MS, [
    runIds.join(),
    search,
  ]);
  if (error && !data) return <ErrorMessage message={error} />;
  if (!data) return <Loading />;
  const { paths, has_more } = data;
  if (paths.length > MIN_SEARCHED && !isLong) setLong(true);
  if (paths.length === 0 && !search) {
    return (
      <p class="empty">
        These runs have no files. Log some with {'run.log({"sample": trackai.Image(array)})'}.
      </p>
    );
  }
  const path = keyParameter.value || defaultPath(paths);
  const select = (next: string) => replaceParameters({ key: next, image: undefined });
  return (
    <>
      <form class="tools" onSubmit={(event) => event.preventDefault()}>
        {isLong && <SearchInput label="Search names" value={search} onSearch={setSearch} />}
        <PathSelect paths={paths} path={path} runs={runIds.length} onSelect={select} />
        {has_more && <span class="faint">The first {paths.length} names: search for others.</span>}
        {paths.length === 0 && <span class="faint">No names match.</span>}
      </form>
      {path && <SharedFiles key={path} projectId={projectId} runIds={runIds} path={path} />}
    </>
  );
}

interface SelectProps {
  paths: SharedFilePath[];
  path: string | undefined;
  runs: number;
  onSelect: (path: string) => void;
}

function PathSelect({ paths, path, runs, onSelect }: SelectProps) {
  // The shown one stays in the list while others are searched for.
  const isListed = paths.some((each) => each.path === path);
  return (
    <label>
      Name
      <select value={path} onChange={(event) => onSelect(event.currentTarget.value)}>
        {!isListed && path && <option value={path}>{path}</option>}
        {paths.map((each) => (
          <option key={each.path} value={each.path}>
            {each.path}
            {each.runs < runs && ` (${each.runs} of ${plural(runs, "run")})`}
          </option>
        ))}
      </select>
    </label>
  );
}
