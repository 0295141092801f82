// A page that draws logged figures, one after the other. It is shown in a sandboxed frame: it has
// no origin, and may load nothing but these scripts. The dashboard sends it figures, and it answers
// with messages.

import type { FigureRequest, FrameMessage } from "./messages";

const send = (message: FrameMessage): void => parent.postMessage(message, "*");

const libraries = {
  plotly: () => import("./plotly-figure"),
  vega: () => import("./vega-figure"),
};
const box = document.getElementById("figure") as HTMLElement;
/** The figure that is drawn. */
let id = 0;
let drawn = Promise.resolve();

async function draw(request: FigureRequest): Promise<void> {
  id = request.id;
  document.documentElement.style.colorScheme = request.isDark ? "dark" : "light";
  try {
    const module = await libraries[request.library]().catch(() => {
      throw new Error("a script could not be loaded. Reload the page.");
    });
    const notes = await module.draw(box, request.text, request.isDark);
    for (const text of notes) send({ type: "problem", id, text });
    tellHeight();
  } catch (problem) {
    const text = `The figure cannot be drawn: ${(problem as Error).message}`;
    send({ type: "problem", id, text });
  }
}

const tellHeight = (): void => send({ type: "drawn", id, height: document.body.scrollHeight });

new ResizeObserver(() => box.firstChild && tellHeight()).observe(box);
// Data and pictures at other addresses.
addEventListener("securitypolicyviolation", ({ blockedURI }) => {
  const text = `The figure needs ${blockedURI}, which is not loaded: log the data in the figure.`;
  send({ type: "problem", id, text });
});
addEventListener("message", ({ source, data }: MessageEvent<FigureRequest>) => {
  if (source === parent) drawn = drawn.then(() => draw(data));
});
send({ type: "ready" });
