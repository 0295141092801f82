// Colours of runs: Okabe and Ito's palette and darker turns of it, which people with any colour
// vision tell apart. A run keeps its colour wherever it is shown.

const LIGHT = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#3fa7dc", "#7a4a9e", "#4d4d4d"];
const DARK = ["#56b4e9", "#ff9248", "#2fd0a3", "#e79fc8", "#e6c229", "#8fb8ff", "#bf95e8", "#bdbdbd"];

export const dark = matchMedia("(prefers-color-scheme: dark)");

export function color(runId: number): string {
  const palette = dark.matches ? DARK : LIGHT;
  return palette[(runId - 1) % palette.length] as string;
}
