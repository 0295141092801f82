// Which metrics are shown, and the sections that they are in.

// The machine's metrics come after the model's.
const MACHINE = /^(system|gpu|cpu|mem|memory|disk|net|network|process|host)s?$/i;
// Names without a section that can only be of the machine.
const MACHINE_NAME = /^(system|gpu|cpu|mem|memory|disk)s?([._\d]|$)/i;

/** The section of a metric: its name up to the first slash. */
export function sectionOf(path: string): string {
  if (path.includes("/")) return path.slice(0, path.indexOf("/"));
  return MACHINE_NAME.test(path) ? "System" : "";
}

export function groupIntoSections(paths: string[]): [section: string, paths: string[]][] {
  const sections = new Map<string, string[]>();
  for (const path of paths) {
    const section = sectionOf(path);
    const members = sections.get(section);
    if (members) members.push(path);
    else sections.set(section, [path]);
  }
  return [...sections].sort(
    ([left], [right]) => Number(MACHINE.test(left)) - Number(MACHINE.test(right)),
  );
}

export interface SearchResult {
  paths: string[];
  /** What is wrong with the search; "" if nothing is. */
  problem: string;
  /** The expression that was used, for the next call. */
  pattern: RegExp;
}

/**
 * The metrics that match a regular expression. While it is invalid, those that contain the text,
 * or else those that matched the last valid one.
 */
export function searchMetrics(paths: string[], search: string, lastPattern: RegExp): SearchResult {
  try {
    const pattern = new RegExp(search, "i");
    return { paths: paths.filter((path) => pattern.test(path)), problem: "", pattern };
  } catch {
    const invalid = "Invalid regular expression";
    const containing = paths.filter((path) => path.includes(search));
    if (containing.length > 0) {
      return {
        paths: containing,
        problem: `${invalid}; searching for the text`,
        pattern: lastPattern,
      };
    }
    const matching = paths.filter((path) => lastPattern.test(path));
    return {
      paths: matching,
      problem: `${invalid}; showing the last matches`,
      pattern: lastPattern,
    };
  }
}
