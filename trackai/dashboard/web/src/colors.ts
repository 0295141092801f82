// Colours of runs: Okabe and Ito's palette and darker turns of it, which people with any colour
// vision tell apart. A run keeps its colour wherever it is shown; where two in a chart have the
// same, the second is dashed.

const LIGHT = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#3fa7dc", "#7a4a9e", "#4d4d4d"];
const DARK = ["#56b4e9", "#ff9248", "#2fd0a3", "#e79fc8", "#e6c229", "#8fb8ff", "#bf95e8", "#bdbdbd"];
const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3]];

export const dark = matchMedia("(prefers-color-scheme: dark)");

export const palette = (): string[] => (dark.matches ? DARK : LIGHT);

export function color(runId: number): string {
  const colors = palette();
  return colors[(runId - 1) % colors.length] as string;
}

/** How the line of a run is broken where others that are drawn already have its colour. */
export function dash(runId: number, drawn: number[]): number[] {
  const same = drawn.filter((one) => (one - runId) % LIGHT.length === 0).length;
  return DASHES[same % DASHES.length] as number[];
}

// From dark to light, evenly so, and told apart with any colour vision (a few stops of viridis; the
// ends that are too near to the paper are left out).
const LOW_TO_HIGH_LIGHT = ["#440154", "#3b528b", "#21918c", "#35a853", "#a8b400"];
const LOW_TO_HIGH_DARK = ["#7d5bd0", "#4b8bd0", "#2bb3a3", "#7ad151", "#fde725"];

/** A colour for a share from 0 to 1. */
export function shade(share: number): string {
  const stops = dark.matches ? LOW_TO_HIGH_DARK : LOW_TO_HIGH_LIGHT;
  const place = Math.min(1, Math.max(0, share)) * (stops.length - 1);
  const at = Math.min(stops.length - 2, Math.floor(place));
  const parts = (text: string) => [1, 3, 5].map((start) => parseInt(text.slice(start, start + 2), 16));
  const [from, to] = [parts(stops[at] as string), parts(stops[at + 1] as string)];
  const mixed = from.map((one, index) => Math.round(one + ((to[index] as number) - one) * (place - at)));
  return `#${mixed.map((one) => one.toString(16).padStart(2, "0")).join("")}`;
}
