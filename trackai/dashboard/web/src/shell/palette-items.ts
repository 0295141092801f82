// What the palette offers: what a search has found, and actions.

import type { HitKind, SearchHit } from "../api/types";
import { contains } from "../ui/controls";
import { setTheme, THEMES } from "../ui/theme";
import { changedAddress, go, keepingView, pageAddress } from "../view/address";
import { crumbs } from "../view/crumbs";
import { columns, isComparing, projectId, runId } from "../view/parameters";
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
  const isHere = project === crumbs.peek().projectId && runId.peek() === undefined;
  const onTable = isHere && !isComparing.peek();
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
    detail: hit.kind === "project" ? "" : hit.project,
    address: keep ? changedAddress(to) : pageAddress(to),
    run: () => go(to, { keep }),
  };
}

/** The actions that are possible on this page and match a text. */
export function actionItems(text: string): PaletteItem[] {
  const { projectId: project, page } = crumbs.peek();
  const items = [
    page !== undefined && link("Back to project", keepingView({ project })),
    runId.peek() !== undefined && tabLinks(),
    projectId.peek() !== undefined &&
      page === undefined &&
      action("Compare selected runs", () => go({ view: "compare" })),
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
