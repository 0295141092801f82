// What is used of Plotly.

declare module "plotly.js-cartesian-dist-min" {
  interface Plotly {
    newPlot(
      box: HTMLElement,
      figure: { data: unknown[]; layout: object; frames: unknown[] | undefined },
      layout: undefined,
      config: { responsive: boolean; displaylogo: boolean; modeBarButtonsToRemove: string[] },
    ): Promise<unknown>;
    PlotSchema: { get(): { traces: Record<string, unknown> } };
  }
  const plotly: Plotly;
  export default plotly;
}
