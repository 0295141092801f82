// A figure of Vega or Vega-Lite. Its expressions are interpreted: the page may not evaluate code.

import { parse, type Spec, View } from "vega";
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

let view: View | undefined;

/** Draw a figure; returns what is not drawn: nothing. */
export async function draw(box: HTMLElement, text: string, isDark: boolean): Promise<string[]> {
  const spec = JSON.parse(text) as { $schema?: string };
  const isVega = /\/vega\/v/.test(spec.$schema ?? "");
  const config = isDark ? DARK : {};
  const vegaSpec = isVega ? (spec as Spec) : compile(spec as TopLevelSpec, { config }).spec;
  view?.finalize();
  box.replaceChildren();
  const runtime = parse(vegaSpec, config, { ast: true });
  view = new View(runtime, {
    expr: expressionInterpreter,
    renderer: "svg",
    container: box,
    hover: true,
  });
  await view.runAsync();
  return [];
}
