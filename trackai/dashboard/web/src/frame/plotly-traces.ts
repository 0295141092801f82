// The traces of a figure of Plotly that the part of Plotly in TrackAI does not have.

export interface PlotlyFigure {
  data?: { type?: string }[];
  layout?: Record<string, unknown>;
  frames?: unknown[];
}

/** A sentence for each type of trace that is not drawn. */
export function missingTraces({ data = [] }: PlotlyFigure, known: string[]): string[] {
  const types = new Set(data.map(({ type = "scatter" }) => type));
  return [...types]
    .filter((type) => !known.includes(type))
    .map(
      (type) =>
        `Traces of the type "${type}" are not drawn: the dashboard has those of two-dimensional ` +
        "axes only. Download the figure to see all of it.",
    );
}
