// Changes of a layout. Each returns a new layout and leaves the old one as it is.

import type { Layout, Panel, Section } from "../api/views";
import { groupIntoSections } from "../chart/metric-sections";
import { fieldTitle } from "../compare/fields";

export const COLUMNS = 12;
export const MIN_WIDTH = 2;
export const HEIGHTS = { min: 100, max: 2000, step: 20 };
// A new view shows at most so many metrics.
export const MAX_METRICS = 60;

/** Where to move a panel: beside another one, or to an end of a section. */
export type Place =
  | { beside: string; side: "before" | "after" }
  | { section: number; end: "first" | "last" };

/** A panel's title, or what follows from its contents. */
export function titleOf(panel: Panel): string {
  if (panel.title) return panel.title;
  if (panel.kind === "text") return "Text";
  if (panel.kind === "bars") return fieldTitle(panel.field);
  if (panel.kind === "scatter") return `${fieldTitle(panel.y)} over ${fieldTitle(panel.x)}`;
  const metrics = panel.metrics.join(", ");
  return panel.x_metric === null ? metrics : `${metrics} over ${panel.x_metric}`;
}

export const allPanels = ({ sections }: Layout): Panel[] =>
  sections.flatMap((section) => section.panels);

export const findPanel = (layout: Layout, id: string): Panel | undefined =>
  allPanels(layout).find((panel) => panel.id === id);

/** The pinned panels, and the sections without them. */
export function withPinnedFirst(layout: Layout): { pinned: Panel[]; sections: Section[] } {
  return {
    pinned: allPanels(layout).filter((panel) => panel.pinned),
    sections: layout.sections.map((section) => ({
      ...section,
      panels: section.panels.filter((panel) => !panel.pinned),
    })),
  };
}

/** An id that no panel of the layout has. */
export function newId(layout: Layout): string {
  const ids = new Set(allPanels(layout).map((panel) => panel.id));
  let number = ids.size + 1;
  while (ids.has(`p${number}`)) number += 1;
  return `p${number}`;
}

const mapSections = (layout: Layout, change: (section: Section, index: number) => Section) => ({
  ...layout,
  sections: layout.sections.map(change),
});

const mapPanels = (layout: Layout, change: (panels: Panel[], section: number) => Panel[]): Layout =>
  mapSections(layout, (section, index) => ({ ...section, panels: change(section.panels, index) }));

export const changePanel = (layout: Layout, id: string, change: Partial<Panel>): Layout =>
  mapPanels(layout, (panels) =>
    panels.map((panel) => (panel.id === id ? ({ ...panel, ...change } as Panel) : panel)),
  );

export const replacePanel = (layout: Layout, changed: Panel): Layout =>
  mapPanels(layout, (panels) => panels.map((panel) => (panel.id === changed.id ? changed : panel)));

export const addPanel = (layout: Layout, section: number, panel: Panel): Layout =>
  mapPanels(layout, (panels, index) => (index === section ? [...panels, panel] : panels));

export const removePanel = (layout: Layout, id: string): Layout =>
  mapPanels(layout, (panels) => panels.filter((panel) => panel.id !== id));

/** A panel beside a pinned one is pinned, too, and not in a section. */
export function movePanel(layout: Layout, id: string, place: Place): Layout {
  const panel = findPanel(layout, id);
  if (!panel || ("beside" in place && place.beside === id)) return layout;
  const rest = removePanel(layout, id);
  if ("section" in place) {
    const moved = { ...panel, pinned: false };
    return mapPanels(rest, (panels, index) => {
      if (index !== place.section) return panels;
      return place.end === "first" ? [moved, ...panels] : [...panels, moved];
    });
  }
  const { beside, side } = place;
  return mapPanels(rest, (panels) =>
    panels.flatMap((other) => {
      if (other.id !== beside) return [other];
      const moved = { ...panel, pinned: other.pinned };
      return side === "before" ? [moved, other] : [other, moved];
    }),
  );
}

/** Move a panel one place forth (1) or back (-1), at the end of a section to the next one. */
export function shiftPanel(layout: Layout, id: string, step: 1 | -1): Layout {
  const { pinned, sections } = withPinnedFirst(layout);
  const group = [pinned, ...sections.map((section) => section.panels)].findIndex((panels) =>
    panels.some((panel) => panel.id === id),
  );
  const panels = group === 0 ? pinned : (sections[group - 1]?.panels ?? []);
  const index = panels.findIndex((panel) => panel.id === id);
  const neighbour = panels[index + step];
  if (neighbour) {
    return movePanel(layout, id, {
      beside: neighbour.id,
      side: step === 1 ? "after" : "before",
    });
  }
  const section = group - 1 + step;
  if (group === 0 || section < 0 || section >= sections.length) return layout;
  return movePanel(layout, id, { section, end: step === 1 ? "first" : "last" });
}

export const addSection = (layout: Layout): Layout => {
  const names = new Set(layout.sections.map((section) => section.name));
  let number = layout.sections.length + 1;
  while (names.has(`Section ${number}`)) number += 1;
  const section = { name: `Section ${number}`, is_open: true, panels: [] };
  return { ...layout, sections: [...layout.sections, section] };
};

export const changeSection = (layout: Layout, at: number, change: Partial<Section>): Layout =>
  mapSections(layout, (section, index) => (index === at ? { ...section, ...change } : section));

export const removeSection = (layout: Layout, at: number): Layout => ({
  ...layout,
  sections: layout.sections.filter((_, index) => index !== at),
});

/** Exchange a section with the one before (-1) or behind it (1). */
export function shiftSection(layout: Layout, at: number, step: 1 | -1): Layout {
  const sections = [...layout.sections];
  const [section, other] = [sections[at], sections[at + step]];
  if (section && other) [sections[at], sections[at + step]] = [other, section];
  return { ...layout, sections };
}

const BASE = { title: "", width: 4, height: 210, pinned: false };

/** A panel of each kind, as the dialog begins with it. */
export const newPanel = (kind: Panel["kind"], id: string, field: string, xField = field): Panel => {
  const base = { ...BASE, id };
  if (kind === "lines") {
    return { ...base, kind, metrics: [], x: "", x_metric: null, log_y: null };
  }
  if (kind === "scatter") return { ...base, kind, x: xField, y: field, log_x: null, log_y: null };
  if (kind === "bars") return { ...base, kind, field, order: "runs" };
  return { ...base, kind, text: "" };
};

/** The layout of a new view: a chart for each metric, in the sections of the default view. */
export function layoutOfMetrics(paths: string[]): Layout {
  let count = 0;
  const sections = groupIntoSections(paths.slice(0, MAX_METRICS)).map(([name, members]) => ({
    name: name || "metrics",
    is_open: true,
    panels: members.map((path): Panel => {
      count += 1;
      const panel = { ...BASE, id: `p${count}`, kind: "lines" as const, metrics: [path] };
      return { ...panel, x: "", x_metric: null, log_y: null };
    }),
  }));
  return { sections: sections.length > 0 ? sections : addSection({ sections: [] }).sections };
}
