// What the palette offers: what a search has found, and actions.

import type { HitKind, SearchHit } from "../api/types";
import { contains } from "../ui/controls";
import { setTheme, THEMES } from "../ui/theme";
import { changedAddress, go, keepingView, pageAddress, showingShelf } from "../view/address";
import { printChoice } from "../view/choice";
import { crumbs, projectPage } from "../view/crumbs";
import {
  choice,
  columns,
  isComparing,
  isShowingMedia,
  isSweep,
  isTable,
  projectId,
  runId,
  shelf,
  shownChoice,
} from "../view/parameters";
import { type Change, printList } from "../view/parsing";
import { openDialog, type ShellDialog } from "./state";

export interface PaletteItem {
  key: string;
  group: string;
  name: string;
  /** Where it is, or what it does. */
  detail: string;
  /** The address of a page; other items do something here. */
  address?: string;
  run: () => void;
}

const GROUPS: Record<HitKind, string> = {
  project: "Projects",
  run: "Runs",
  metric: "Metrics",
  config: "Configuration",
  tag: "Tags",
  file: "Files",
  view: "Views",
};

/** The parameters of the page that shows a hit; with `keep`, those of this page stay. */
export function hitPage(hit: SearchHit): { to: Change; keep: boolean } {
  const { kind, name, field, project_id: project, run_id, view_id } = hit;
  const onTable = isTable.peek() && project === crumbs.peek().projectId;
  switch (kind) {
    case "project":
      return { to: { project }, keep: false };
    case "run":
      return { to: { project, run: run_id ?? undefined }, keep: false };
    case "file":
      return { to: { project, run: run_id ?? undefined, tab: "files", file: name }, keep: false };
    case "view":
      return { to: { project, panels: view_id ?? undefined }, keep: false };
    case "metric":
      return { to: { project, metrics: `^${escapeExpression(name)}$` }, keep: onTable };
    case "tag":
      return { to: { project, filter: `tag = ${quoted(name)}` }, keep: onTable };
    case "config": {
      const shown = onTable ? columns.peek() : [];
      const all = [...new Set([...shown, field ?? ""])];
      return { to: { project, columns: printList(all) }, keep: onTable };
    }
  }
}

export function hitItem(hit: SearchHit): PaletteItem {
  const { to, keep } = hitPage(hit);
  return {
    key: `${hit.kind} ${hit.run_id ?? ""} ${hit.project_id} ${hit.name}`,
    group: GROUPS[hit.kind],
    name: hit.name,
    detail: hit.kind === "project" ? "" : hit.project + (hit.is_archived ? " · archived" : ""),
    address: keep ? changedAddress(to) : pageAddress(to),
    run: () => go(to, { keep }),
  };
}

/** The actions that are possible on this page and match a text. */
export function actionItems(text: string): PaletteItem[] {
  const { projectId: project, page } = crumbs.peek();
  const shown = projectId.peek();
  const items = [
    project !== undefined && page !== undefined && link("Back to project", projectPage(project)),
    runId.peek() !== undefined && tabLinks(),
    shown !== undefined && runId.peek() === undefined && projectLinks(shown),
    link("All projects", {}),
    action("Switch project", () => openNext("projects")),
    action("Show alerts", () => openNext("alerts")),
    action("Keyboard shortcuts", () => openNext("shortcuts")),
    THEMES.map((name) => action(`Theme: ${name}`, () => setTheme(name))),
  ];
  return items
    .flat()
    .filter((item) => item !== false)
    .filter(({ name }) => contains(name, text));
}

/** The pages of a project and its runs, but not the page that is shown. */
function projectLinks(project: number): (PaletteItem | false)[] {
  const chosen = shownChoice.peek() ?? choice.peek();
  const ofChosen = (name: string, page: string): PaletteItem | false =>
    chosen !== undefined &&
    link(name, { ...keepingView({ project, view: page }), ...printChoice(chosen) });
  const onShelf = (name: string, show: string) =>
    link(name, { ...keepingView({ project }), ...showingShelf(show) });
  return [
    !isComparing.peek() && ofChosen("Compare selected runs", "compare"),
    !isShowingMedia.peek() && ofChosen("Show media of selected runs", "media"),
    !isSweep.peek() && link("Analyse all matching runs", keepingView({ project, view: "sweep" })),
    shelf.peek() !== "archived" && onShelf("Show archived runs", "archived"),
    shelf.peek() !== "trash" && onShelf("Show trash", "trash"),
  ];
}

const TABS = ["Charts", "System", "Logs", "Histograms", "Files"];

const tabLinks = (): PaletteItem[] =>
  TABS.map((name) => {
    const to = { tab: name.toLowerCase() };
    return { ...action(`Show ${name}`, () => go(to)), address: changedAddress(to) };
  });

const link = (name: string, to: Change): PaletteItem => ({
  ...action(name, () => go(to, { keep: false })),
  address: pageAddress(to),
});

const action = (name: string, run: () => void): PaletteItem => ({
  key: `action ${name}`,
  group: "Actions",
  name,
  detail: "",
  run,
});

/** Open another dialog in place of the palette. */
function openNext(name: ShellDialog): void {
  openDialog.value = name;
}

const escapeExpression = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`;
