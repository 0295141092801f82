// The page for the current address.

import { useEffect } from "preact/hooks";
import { keyNeeded, loadScope } from "../api/session";
import { ComparePage } from "../compare/compare-page";
import { ProjectList } from "../project/project-list";
import { ProjectPage } from "../project/project-page";
import { RunPage } from "../run/run-page";
import { useModule } from "../ui/lazy-module";
import { Loading, PageError } from "../ui/messages";
import { Link } from "../view/link";
import { isComparing, isShowingMedia, isSweep, projectId, runId } from "../view/parameters";
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
  if (isShowingMedia.value) return <LazyMediaPage id={project} key={key} />;
  if (isSweep.value) return <LazySweepPage id={project} key={key} />;
  return isComparing.value ? (
    <ComparePage id={project} key={key} />
  ) : (
    <ProjectPage id={project} key={key} />
  );
}

const loadMedia = () => import("../media/media-page");
const loadSweep = () => import("../sweep/sweep-page");

function LazyMediaPage({ id }: { id: number }) {
  const { module, error } = useModule(loadMedia);
  if (!module) return error ? <PageError>{error}</PageError> : <Loading />;
  return <module.MediaPage id={id} />;
}

function LazySweepPage({ id }: { id: number }) {
  const { module, error } = useModule(loadSweep);
  if (!module) return error ? <PageError>{error}</PageError> : <Loading />;
  return <module.SweepPage id={id} />;
}
