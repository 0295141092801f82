// What the dashboard and the frame of a figure send each other.

export type Library = "plotly" | "vega";

export interface FigureRequest {
  /** Repeated in the answers. */
  id: number;
  library: Library;
  /** The JSON that was logged. */
  text: string;
  isDark: boolean;
}

export type FrameMessage =
  | { type: "ready" }
  | { type: "drawn"; id: number; height: number }
  /** What is not drawn, and why. */
  | { type: "problem"; id: number; text: string };
