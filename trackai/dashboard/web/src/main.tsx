import { render } from "preact";
import { askEarly, runsAddress } from "./api";
import { ComparePage } from "./compare";
import { ProjectPage } from "./project";
import { Projects } from "./projects";
import { RunPage } from "./run";
import { keyNeeded, SignIn } from "./signin";
import { Silence } from "./silence";
import { firstPage } from "./table";
import { comparing, follow, groupBy, projectId, runId } from "./view";
import "uplot/dist/uPlot.min.css";

function App() {
  return (
    <>
      <header class="top">
        <a class="brand" href="/" onClick={(event) => follow(event, {})}>
          TrackAI
        </a>
      </header>
      <Silence />
      <main>
        {keyNeeded.value ? (
          <SignIn />
        ) : runId.value !== undefined ? (
          <RunPage id={runId.value} key={runId.value} />
        ) : projectId.value !== undefined && comparing.value ? (
          <ComparePage id={projectId.value} key={projectId.value} />
        ) : projectId.value !== undefined ? (
          <ProjectPage id={projectId.value} key={projectId.value} />
        ) : (
          <Projects />
        )}
      </main>
    </>
  );
}

const project = projectId.peek();
const run = runId.peek();
if (run !== undefined) {
  askEarly(
    `/api/runs/${run}`,
    `/api/runs/${run}/figures`,
    `/api/metrics/runs/${run}`,
    `/api/runs/${run}/config`,
  );
} else if (project !== undefined) {
  const page = groupBy.peek() || comparing.peek() ? [] : [runsAddress(firstPage(project))];
  askEarly(...page, `/api/projects/${project}/columns`, `/api/projects/${project}`);
}

const root = document.getElementById("app");
if (root) render(<App />, root);
