// What files are by the ends of their names, beside media.

export const TABLE_NAME = /\.table\.json$/i;
export const SOLID_NAME = /\.(pts\.json|obj|stl|ply|glb|gltf|splat|babylon)$/i;

const PLOTLY_NAME = /\.plotly\.json$/i;
const VEGA_NAME = /\.(vl|vg|vega|vegalite|vega-lite)\.json$/i;

/** What draws a figure; undefined for other files. */
export function figureLibrary(name: string): "plotly" | "vega" | undefined {
  if (PLOTLY_NAME.test(name)) return "plotly";
  return VEGA_NAME.test(name) ? "vega" : undefined;
}
