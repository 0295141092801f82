// The folders of the sources only import from those below them, and no modules form a circle.

import { describe, expect, test } from "vitest";

// From the top to the bottom; folders on one line do not import each other.
const LAYERS = [
  ["app"],
  ["shell"],
  ["project", "run", "media", "sweep"],
  ["panels"],
  ["compare"],
  ["table"],
  ["files"],
  ["plots", "solid"],
  ["chart"],
  ["view"],
  ["api", "frame"],
  ["ui"],
];
const LEVELS = new Map(LAYERS.flatMap((folders, level) => folders.map((name) => [name, level])));

const sources = Object.fromEntries(
  Object.entries(
    import.meta.glob<string>("../src/**/*.{ts,tsx}", {
      query: "?raw",
      import: "default",
      eager: true,
    }),
  ).map(([path, source]) => [path.slice("../src/".length), source]),
);
const modules = Object.keys(sources);
const dirname = (module: string) => module.slice(0, Math.max(0, module.lastIndexOf("/")));

// Imports and exports from other modules, those of types included, and modules loaded when needed.
const FROM = /(?:(?:^|\n)(?:import|export)\b[^;]*?\bfrom\s+|\bimport\()"(\.[^"]+)"/g;

function importsOf(module: string): string[] {
  return [...(sources[module] ?? "").matchAll(FROM)].map(([, target]) => {
    const url = new URL(target as string, `file:///${module}`);
    const path = url.pathname.slice(1);
    const file = [`${path}.ts`, `${path}.tsx`].find((candidate) => modules.includes(candidate));
    if (!file) throw new Error(`${module} imports ${target}, which does not exist`);
    return file;
  });
}

const graph = new Map(modules.map((module) => [module, importsOf(module)]));

/** An import cycle, as a list of its modules; undefined without a cycle. */
function findCycle(imports: Map<string, string[]>): string[] | undefined {
  const finished = new Set<string>();
  const visit = (module: string, path: string[]): string[] | undefined => {
    if (path.includes(module)) return [...path.slice(path.indexOf(module)), module];
    if (finished.has(module)) return undefined;
    for (const target of imports.get(module) ?? []) {
      const cycle = visit(target, [...path, module]);
      if (cycle) return cycle;
    }
    finished.add(module);
    return undefined;
  };
  for (const module of imports.keys()) {
    const cycle = visit(module, []);
    if (cycle) return cycle;
  }
  return undefined;
}

describe("imports", () => {
  test("are found", () => {
    expect(graph.get("main.tsx")).toContain("app/app.tsx");
    // An import of types only.
    expect(graph.get("ui/swatch.tsx")).toContain("ui/colors.ts");
    // A module that is loaded when it is needed.
    expect(graph.get("ui/markdown.tsx")).toContain("ui/markdown-elements.tsx");
    const edges = [...graph.values()].flat().length;
    expect(edges).toBeGreaterThan(300);
  });

  test("form no circle", () => {
    expect(findCycle(graph)).toBeUndefined();
  });

  test("a circle would be found", () => {
    const circle = new Map([
      ["a", ["b"]],
      ["b", ["c"]],
      ["c", ["b"]],
    ]);
    expect(findCycle(circle)).toEqual(["b", "c", "b"]);
  });

  test("only go down", () => {
    const folder = (module: string) => dirname(module);
    const upward = [...graph].flatMap(([module, targets]) => {
      if (module === "main.tsx") return [];
      const level = LEVELS.get(folder(module)) ?? -1;
      return targets
        .filter((target) => folder(target) !== folder(module))
        .filter((target) => (LEVELS.get(folder(target)) ?? -1) <= level)
        .map((target) => `${module} imports ${target}`);
    });
    expect(upward).toEqual([]);
  });

  test("every module is in a known folder and is used", () => {
    const folders = new Set(modules.filter((module) => module !== "main.tsx").map(dirname));
    expect([...folders].sort()).toEqual([...LEVELS.keys()].sort());
    const used = new Set([...graph.values()].flat());
    // Those of the two pages.
    const entries = ["frame/main.ts", "main.tsx"];
    expect(modules.filter((module) => !used.has(module)).sort()).toEqual(entries);
  });
});

test("no module writes or sorts in the language of the browser", () => {
  // The texts are English, and a browser in the locale C has no language: there, Intl throws.
  const inherits = /\.toLocale\w*String\(\)|\bIntl\.\w+\((?:\)|undefined)|\.localeCompare\(/;
  expect(modules.filter((module) => inherits.test(sources[module] ?? ""))).toEqual([]);
});
