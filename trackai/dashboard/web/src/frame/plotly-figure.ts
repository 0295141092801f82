// A figure of Plotly.

import Plotly from "plotly.js-cartesian-dist-min";
import { missingTraces, type PlotlyFigure } from "./plotly-traces";

const DEFAULT_HEIGHT = 450;
const DARK = { ink: "#e4e8ee", grid: "#3a424d", paper: "#14171c" };

/** Draw a figure; returns what is not drawn. */
export async function draw(box: HTMLElement, text: string, isDark: boolean): Promise<string[]> {
  const figure = JSON.parse(text) as PlotlyFigure;
  const known = Object.keys(Plotly.PlotSchema.get().traces);
  const missing = missingTraces(figure, known);
  // Plotly draws a trace of a type that it does not have as a line.
  const data = (figure.data ?? []).filter(({ type = "scatter" }) => known.includes(type));
  const layout = { height: DEFAULT_HEIGHT, ...figure.layout, autosize: true, width: undefined };
  await Plotly.newPlot(
    box,
    { data, layout: isDark ? darkLayout(layout) : layout, frames: figure.frames },
    undefined,
    { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["toImage"] },
  );
  return missing;
}

/** The colours of a dark page, where the figure has no background of its own. */
function darkLayout<L extends Record<string, unknown>>(layout: L): L {
  if (layout.paper_bgcolor || layout.plot_bgcolor) return layout;
  const axes = Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key));
  const axis = (key: string) => ({
    gridcolor: DARK.grid,
    zerolinecolor: DARK.grid,
    ...(layout[key] as object),
  });
  return {
    ...layout,
    ...Object.fromEntries(["xaxis", "yaxis", ...axes].map((key) => [key, axis(key)])),
    paper_bgcolor: DARK.paper,
    plot_bgcolor: DARK.paper,
    font: { color: DARK.ink, ...(layout.font as object) },
  };
}
