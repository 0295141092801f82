// The start page: all projects, and which of them are running.

import { useState } from "preact/hooks";
import { usePolled } from "../api/polling";
import { deleteProject, listProjects, renameProject } from "../api/projects";
import { mayChange } from "../api/session";
import type { ProjectSummary } from "../api/types";
import { Dialog } from "../ui/dialog";
import { EditableName } from "../ui/editable-name";
import { plural, timeAgo } from "../ui/format";
import { Loading, PageError } from "../ui/messages";
import { usePageTitle } from "../ui/page-title";
import { Link } from "../view/link";
import { sortProjects } from "./sort-projects";

const EXAMPLE = `import trackai

with trackai.init(project="my-project") as run:
    run.log({"loss": 0.5})`;

export function ProjectList() {
  const { data: projects, error, refresh } = usePolled(listProjects, 3000, []);
  usePageTitle();
  if (error && !projects) return <PageError>{error}</PageError>;
  if (!projects) return <Loading />;
  if (projects.length === 0) return <NoProjects />;
  return (
    <section class="page">
      <h1>Projects</h1>
      <ul class="projects">
        {sortProjects(projects).map((project) => (
          <ProjectItem key={project.id} project={project} onChange={refresh} />
        ))}
      </ul>
    </section>
  );
}

interface ItemProps {
  project: ProjectSummary;
  onChange: () => void;
}

function ProjectItem({ project, onChange }: ItemProps) {
  const { id, name, total_runs, failed_runs, running_runs, updated_at } = project;
  const { archived_runs: archived = 0, trashed_runs: trashed = 0 } = project;
  const [isDeleting, setDeleting] = useState(false);
  const rename = (newName: string) => renameProject(id, newName).then(onChange);
  return (
    <li>
      <EditableName name={name} onRename={mayChange.value ? rename : undefined}>
        <Link to={{ project: id }}>
          <strong>{name}</strong>
          <span>
            {plural(total_runs, "run")}
            {failed_runs > 0 && `, ${failed_runs} failed`}
            {total_runs === 0 && archived > 0 && `, ${archived} archived`}
            {total_runs === 0 && trashed > 0 && `, ${trashed} in the trash`}
          </span>
          {running_runs > 0 && <span class="live">{running_runs} running</span>}
          <span class="when">{timeAgo(updated_at)}</span>
        </Link>
      </EditableName>
      {mayChange.value && (
        <button
          type="button"
          class="quiet"
          aria-label={`Delete ${name}`}
          title="Delete the project"
          onClick={() => setDeleting(true)}
        >
          ✕
        </button>
      )}
      {isDeleting && (
        <Dialog
          title={`Delete ${name} with ${plural(total_runs + archived + trashed, "run")}?`}
          action="Delete"
          dangerous
          onConfirm={() => deleteProject(id).then(onChange)}
          onClose={() => setDeleting(false)}
        >
          <p>This deletes the project, its runs and their files. It cannot be undone.</p>
          {running_runs > 0 && <p class="problem">{plural(running_runs, "run")} still running.</p>}
        </Dialog>
      )}
    </li>
  );
}

const NoProjects = () => (
  <div class="empty">
    <h1>No runs yet</h1>
    <p>Log one from Python:</p>
    <pre>{EXAMPLE}</pre>
    <p>
      Or create demo runs: <code>trackai demo</code>
    </p>
  </div>
);
