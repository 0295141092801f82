// The page for the current address.

import { useEffect } from "preact/hooks";
import { keyNeeded, loadScope } from "../api/session";
import { ComparePage } from "../compare/compare-page";
import { ProjectList } from "../project/project-list";
import { ProjectPage } from "../project/project-page";
import { RunPage } from "../run/run-page";
import { Header } from "../shell/header";
import { LazyDialogs } from "../shell/lazy-dialogs";
import { useShortcuts } from "../shell/shortcuts";
import { useModule } from "../ui/lazy-module";
import { Loading, PageError } from "../ui/messages";
import { changedAddress, isEmbedded } from "../view/address";
import { isComparing, isShowingMedia, isSweep, projectId, runId } from "../view/parameters";
import { ConnectionBanner } from "./connection-banner";
import { SignIn } from "./sign-in";

export function App() {
  const isSignedIn = !keyNeeded.value;
  useEffect(() => {
    if (isSignedIn) void loadScope();
  }, [isSignedIn]);
  useShortcuts(isSignedIn);
  return (
    <>
      {!isEmbedded.value && <Header isSignedIn={isSignedIn} />}
      <ConnectionBanner />
      <main class={isEmbedded.value ? "embedded" : undefined}>
        <Page />
      </main>
      {isEmbedded.value && <OpenOutside />}
      {isSignedIn && <LazyDialogs />}
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

/** The way from a frame to the whole dashboard. */
const OpenOutside = () => (
  <p class="outside">
    <a href={changedAddress({ embed: undefined })} target="_blank" rel="noopener">
      Open in TrackAI ↗
    </a>
  </p>
);
