// A figure of Vega or Vega-Lite. Its expressions are interpreted: the page may not evaluate code.

import { logger, parse, type Spec, View, Warn } from "vega";
import { expressionInterpreter } from "vega-interpreter";
import { compile, type TopLevelSpec } from "vega-lite";

const INK = "#e4e8ee";
const LINE = "#3a424d";
const DARK = {
  background: "#14171c",
  title: { color: INK, subtitleColor: INK },
  style: { "guide-label": { fill: INK }, "guide-title": { fill: INK } },
  axis: { domainColor: LINE, gridColor: LINE, tickColor: LINE },
};

// Vega has no place for any value on such a scale, and draws all of them at the upper edge.
const LOG_WARNING = /^Log scale domain includes zero: \[-?\d/;
const LOG_NOTE =
  "A logarithmic scale of the figure includes values of 0 or less, so nothing on it is at its " +
  "place. Leave them out of the figure, or use the scale type symlog.";

let view: View | undefined;

/** Draw a figure; returns what is not drawn at its place. */
export async function draw(box: HTMLElement, text: string, isDark: boolean): Promise<string[]> {
  const spec = JSON.parse(text) as { $schema?: string };
  const isVega = /\/vega\/v/.test(spec.$schema ?? "");
  const config = isDark ? DARK : {};
  const vegaSpec = isVega ? (spec as Spec) : compile(spec as TopLevelSpec, { config }).spec;
  view?.finalize();
  box.replaceChildren();
  const runtime = parse(vegaSpec, config, { ast: true });
  const notes = new Set<string>();
  view = new View(runtime, {
    expr: expressionInterpreter,
    renderer: "svg",
    container: box,
    hover: true,
    logger: logger(Warn, "log", (_method: string, level: string, texts: unknown[]) => {
      if (level === "ERROR") console.error(...texts);
      else if (LOG_WARNING.test(texts.join(" "))) notes.add(LOG_NOTE);
    }),
  });
  await view.runAsync();
  return [...notes];
}
