// The page for the current address.

import { useEffect, useErrorBoundary, useRef } from "preact/hooks";
import { get, unreachable } from "../api/client";
import { keyNeeded, loadScope } from "../api/session";
import { Header } from "../shell/header";
import { LazyDialogs } from "../shell/lazy-dialogs";
import { useShortcuts } from "../shell/shortcuts";
import { errorText } from "../ui/errors";
import { useModule, usePreloaded } from "../ui/lazy-module";
import { Loading, PageError, ReloadButton } from "../ui/messages";
import { changedAddress, isEmbedded } from "../view/address";
import { ConnectionBanner } from "./connection-banner";
import { PAGES, type PageName, shownPage } from "./pages";
import { SignIn } from "./sign-in";

// Those that most links lead to.
const COMMON_PAGES: PageName[] = ["project", "run", "projects", "comparison"];

export function App() {
  const isSignedIn = !keyNeeded.value;
  useEffect(() => {
    if (isSignedIn) void loadScope();
  }, [isSignedIn]);
  useShortcuts(isSignedIn);
  usePreloaded(...COMMON_PAGES.map((name) => PAGES[name]));
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
  const { name, id } = shownPage();
  return <LazyPage name={name} id={id} key={`${name} ${id}`} />;
}

function LazyPage({ name, id }: { name: PageName; id: number }) {
  const { module: Content, error } = useModule(PAGES[name]);
  const isOffline = useReload(error !== "");
  const [failure] = useErrorBoundary(console.error);
  if (failure) {
    return (
      <PageError>
        This page could not be shown: {errorText(failure)}. <ReloadButton />
      </PageError>
    );
  }
  if (Content) return <Content id={id} />;
  return error && !isOffline ? <PageError>{error}</PageError> : <Loading />;
}

/**
 * Reload the page when the server is back, if it was unreachable while a script was to be loaded:
 * browsers do not request a script again that could not be loaded. Returns whether it still is.
 */
function useReload(hasFailed: boolean): boolean {
  const wasUnreachable = useRef(false);
  const isOffline = unreachable.value;
  useEffect(() => {
    if (hasFailed) void get("/health").catch(() => undefined);
  }, [hasFailed]);
  useEffect(() => {
    if (hasFailed && isOffline) wasUnreachable.current = true;
    else if (hasFailed && wasUnreachable.current) location.reload();
  }, [hasFailed, isOffline]);
  return isOffline;
}

/** The way from a frame to the whole dashboard. */
const OpenOutside = () => (
  <p class="outside">
    <a href={changedAddress({ embed: undefined })} target="_blank" rel="noopener">
      Open in TrackAI ↗
    </a>
  </p>
);
