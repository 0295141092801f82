// The page for the current address.

import { useEffect } from "preact/hooks";
import { keyNeeded, loadScope } from "../api/session";
import { ComparePage } from "../compare/compare-page";
import { ProjectList } from "../project/project-list";
import { ProjectPage } from "../project/project-page";
import { RunPage } from "../run/run-page";
import type { SweepPage } from "../sweep/sweep-page";
import { useModule } from "../ui/lazy-module";
import { Loading, PageError } from "../ui/messages";
import { Link } from "../view/link";
import { isComparing, isSweep, projectId, runId } from "../view/parameters";
import { ConnectionBanner } from "./connection-banner";
import { SignIn } from "./sign-in";

export function App() {
  const isSignedIn = !keyNeeded.value;
  useEffect(() => {
    if (isSignedIn) void loadScope();
  }, [isSignedIn]);
  return (
    <>
      <header class="top">
        <Link class="brand" to={{}}>
          TrackAI
        </Link>
      </header>
      <ConnectionBanner />
      <main>
        <Page />
      </main>
    </>
  );
}

function Page() {
  if (keyNeeded.value) return <SignIn />;
  const [run, project] = [runId.value, projectId.value];
  if (run !== undefined) return <RunPage id={run} key={`run ${run}`} />;
  if (project === undefined) return <ProjectList />;
  const key = `project ${project}`;
  if (isSweep.value) return <LazySweep id={project} key={key} />;
  return isComparing.value ? (
    <ComparePage id={project} key={key} />
  ) : (
    <ProjectPage id={project} key={key} />
  );
}

/** The page of a sweep is loaded when it is shown. */
function LazySweep(props: Parameters<typeof SweepPage>[0]) {
  const { module, error } = useModule(loadSweep);
  if (error) return <PageError>{error}</PageError>;
  return module ? <module.SweepPage {...props} /> : <Loading />;
}

const loadSweep = () => import("../sweep/sweep-page");
