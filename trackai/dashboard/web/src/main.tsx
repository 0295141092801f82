// The entry point: starts the first requests, loads the page meanwhile, and renders it.

import { render } from "preact";
import { prefetch } from "./api/client";
import { columnsPath, projectPath } from "./api/projects";
import {
  configPath,
  figuresPath,
  metricNamesPath,
  runningPath,
  runPath,
  runsPath,
} from "./api/runs";
import { detectSignInLink } from "./api/session";
import { viewPath } from "./api/views";
import { App } from "./app/app";
import { PAGES, shownPage } from "./app/pages";
import { firstPageQuery } from "./table/runs-query";
import { preload } from "./ui/lazy-module";
import { restoreTheme } from "./ui/theme";
import {
  groupBy,
  isComparing,
  isShowingMedia,
  isSweep,
  projectId,
  runId,
  viewId,
} from "./view/parameters";
// In the order of the cascade.
import "./styles/shell.css";
import "./styles/compare.css";
import "./styles/charts.css";
import "./styles/table.css";
import "./styles/run.css";
import "uplot/dist/uPlot.min.css";

const loading = preload(PAGES[shownPage().name]);
const run = runId.peek();
const project = projectId.peek();
if (run !== undefined) {
  prefetch(runPath(run), figuresPath(run), metricNamesPath(run), configPath(run));
} else if (project !== undefined) {
  const isMainPage = !isComparing.peek() && !isShowingMedia.peek() && !isSweep.peek();
  const showsRuns = !groupBy.peek() && isMainPage;
  const view = viewId.peek();
  // A view may say which rows are shown.
  if (showsRuns && view === undefined) prefetch(runsPath(firstPageQuery(project)));
  prefetch(columnsPath(project), projectPath(project));
  if (isMainPage) prefetch(runningPath(project));
  if (view !== undefined && isMainPage) prefetch(viewPath(view));
}

restoreTheme();
detectSignInLink();
const root = document.getElementById("app");
await loading;
root?.replaceChildren();
if (root) render(<App />, root);
