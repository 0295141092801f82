import { render } from "preact";
import { ProjectPage } from "./project";
import { Projects } from "./projects";
import { RunPage } from "./run";
import { keyNeeded, SignIn } from "./signin";
import { follow, projectId, runId } from "./view";
import "uplot/dist/uPlot.min.css";

function App() {
  return (
    <>
      <header class="top">
        <a class="brand" href="/" onClick={(event) => follow(event, {})}>
          TrackAI
        </a>
      </header>
      <main>
        {keyNeeded.value ? (
          <SignIn />
        ) : runId.value !== undefined ? (
          <RunPage id={runId.value} key={runId.value} />
        ) : projectId.value !== undefined ? (
          <ProjectPage id={projectId.value} key={projectId.value} />
        ) : (
          <Projects />
        )}
      </main>
    </>
  );
}

const root = document.getElementById("app");
if (root) render(<App />, root);
