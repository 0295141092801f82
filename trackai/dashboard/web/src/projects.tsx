// The first page: all projects, and what is running now.

import * as api from "./api";
import { ago } from "./format";
import { usePolled } from "./poll";
import { useTitle } from "./titled";
import { address, follow } from "./view";

/** What is running, which does not change places with every point, and then what was logged to last. */
function latestFirst(projects: api.ProjectSummary[]): api.ProjectSummary[] {
  const ended = projects.filter((one) => one.running_runs === 0);
  return [
    ...projects.filter((one) => one.running_runs > 0),
    ...ended.sort((one, other) => Date.parse(other.updated_at) - Date.parse(one.updated_at)),
  ];
}

export function Projects() {
  const { data, error } = usePolled(api.projects, 3000, []);
  useTitle();
  if (error && !data)
    return (
      <p class="empty" role="alert">
        {error}
      </p>
    );
  if (!data) return <p class="empty">Loading …</p>;
  if (data.length === 0) {
    return (
      <div class="empty">
        <h1>No runs yet</h1>
        <p>Log one from Python:</p>
        <pre>
          {
            'import trackai\n\nwith trackai.init(project="my-project") as run:\n    run.log({"loss": 0.5})'
          }
        </pre>
        <p>
          or make a few to look at: <code>trackai demo</code>
        </p>
      </div>
    );
  }
  return (
    <section class="page">
      <h1>Projects</h1>
      <ul class="projects">
        {latestFirst(data).map((one) => (
          <li key={one.id}>
            <a
              href={address({ project: one.id }, false)}
              onClick={(event) => follow(event, { project: one.id })}
            >
              <strong>{one.name}</strong>
              <span>
                {one.total_runs} {one.total_runs === 1 ? "run" : "runs"}
                {one.failed_runs > 0 && `, ${one.failed_runs} failed`}
              </span>
              {one.running_runs > 0 && <span class="live">{one.running_runs} running</span>}
              <span class="when">{ago(one.updated_at)}</span>
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}
