// Sections of charts, nested by further parts of the names where they are many.

import { groupIntoSections } from "./metric-sections";

export interface Section {
  /** The parts of the name up to here; "." for metrics without a section. */
  key: string;
  name: string;
  depth: number;
  /** The number of metrics in it and in the sections within it. */
  count: number;
  /** The metrics that are directly in it. */
  paths: string[];
  sections: Section[];
  /** Whether it is open unless the user closes it. */
  isOpen: boolean;
}

// A section with more metrics is divided.
const MAX_METRICS = 24;
// Up to so many sections beside each other, or metrics in all of them, are open.
const MAX_OPEN = 12;
const MAX_OPEN_METRICS = 120;

export function sectionTree(paths: string[]): Section[] {
  const sections = groupIntoSections(paths).map(([name, members]) =>
    makeSection(name || ".", name || "metrics", 0, members),
  );
  return withDefaults(sections, paths.length);
}

function makeSection(key: string, name: string, depth: number, paths: string[]): Section {
  const section = { key, name, depth, count: paths.length, paths, sections: [], isOpen: true };
  if (paths.length <= MAX_METRICS || !paths.every((path) => path.startsWith(`${key}/`))) {
    return section;
  }
  const { prefix, groups, direct } = divide(paths, key);
  // Sections of one metric each would only hide it.
  if (groups.size < 2 || groups.size > (paths.length - direct.length) / 2) return section;
  const sections = [...groups].map(([part, members]) =>
    makeSection(`${prefix}/${part}`, `${prefix}/${part}`.slice(key.length + 1), depth + 1, members),
  );
  return { ...section, paths: direct, sections: withDefaults(sections, paths.length) };
}

/** Groups by the first part of the names after `prefix` that is not the same for all of them. */
function divide(paths: string[], prefix: string) {
  const groups = new Map<string, string[]>();
  const direct: string[] = [];
  for (const path of paths) {
    const end = path.indexOf("/", prefix.length + 1);
    if (end < 0) {
      direct.push(path);
      continue;
    }
    const part = path.slice(prefix.length + 1, end);
    const members = groups.get(part);
    if (members) members.push(path);
    else groups.set(part, [path]);
  }
  const [only] = groups.keys();
  if (groups.size === 1 && direct.length === 0) return divide(paths, `${prefix}/${only}`);
  return { prefix, groups, direct };
}

/** Of many sections only the first is open. */
function withDefaults(sections: Section[], metrics: number): Section[] {
  if (sections.length <= MAX_OPEN || metrics <= MAX_OPEN_METRICS) return sections;
  return sections.map((section, index) => ({ ...section, isOpen: index === 0 }));
}

/** The sections whose headers are shown: those within a closed section are not. */
export function openSections(
  sections: Section[],
  isOpen: (section: Section) => boolean,
): { section: Section; isOpen: boolean }[] {
  return sections.flatMap((section) => {
    const open = isOpen(section);
    return [{ section, isOpen: open }, ...(open ? openSections(section.sections, isOpen) : [])];
  });
}
