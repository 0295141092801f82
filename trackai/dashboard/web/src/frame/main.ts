// A page that draws one logged figure. It is shown in a sandboxed frame: it has no origin, and may
// load nothing but these scripts. The dashboard sends it the figure, and it answers with messages.

import type { FigureRequest, FrameMessage } from "./messages";

const send = (message: FrameMessage): void => parent.postMessage(message, "*");

const libraries = {
  plotly: () => import("./plotly-figure"),
  vega: () => import("./vega-figure"),
};

async function draw({ library, text, isDark }: FigureRequest): Promise<void> {
  const box = document.getElementById("figure") as HTMLElement;
  try {
    const module = await libraries[library]();
    const notes = await module.draw(box, text, isDark);
    for (const note of notes) send({ type: "problem", text: note });
    const resized = () => send({ type: "drawn", height: document.body.scrollHeight });
    new ResizeObserver(resized).observe(box);
    resized();
  } catch (problem) {
    send({ type: "problem", text: `The figure cannot be drawn: ${(problem as Error).message}` });
  }
}

// Data and pictures at other addresses.
addEventListener("securitypolicyviolation", ({ blockedURI }) =>
  send({
    type: "problem",
    text: `The figure needs ${blockedURI}, which is not loaded: only what was logged is drawn.`,
  }),
);
addEventListener("message", ({ source, data }: MessageEvent<FigureRequest>) => {
  if (source === parent) void draw(data);
});
send({ type: "ready" });
