// The start page: all projects, and which of them are running.

import { usePolled } from "../api/polling";
import { listProjects } from "../api/projects";
import type { ProjectSummary } from "../api/types";
import { plural, timeAgo } from "../ui/format";
import { Loading, PageError } from "../ui/messages";
import { usePageTitle } from "../ui/page-title";
import { Link } from "../view/link";
import { sortProjects } from "./sort-projects";

const EXAMPLE = `import trackai

with trackai.init(project="my-project") as run:
    run.log({"loss": 0.5})`;

export function ProjectList() {
  const { data: projects, error } = usePolled(listProjects, 3000, []);
  usePageTitle();
  if (error && !projects) return <PageError>{error}</PageError>;
  if (!projects) return <Loading />;
  if (projects.length === 0) return <NoProjects />;
  return (
    <section class="page">
      <h1>Projects</h1>
      <ul class="projects">
        {sortProjects(projects).map((project) => (
          <ProjectItem key={project.id} project={project} />
        ))}
      </ul>
    </section>
  );
}

function ProjectItem({ project }: { project: ProjectSummary }) {
  const { id, name, total_runs, failed_runs, running_runs, updated_at } = project;
  return (
    <li>
      <Link to={{ project: id }}>
        <strong>{name}</strong>
        <span>
          {plural(total_runs, "run")}
          {failed_runs > 0 && `, ${failed_runs} failed`}
        </span>
        {running_runs > 0 && <span class="live">{running_runs} running</span>}
        <span class="when">{timeAgo(updated_at)}</span>
      </Link>
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
