// Colours of runs: Okabe and Ito's palette and darker turns of it, which people with any colour
// vision tell apart. A run keeps its colour wherever it is shown, as long as it is; only where there
// are more runs than colours, two have the same, and the second is dashed.

import { signal } from "@preact/signals";

const LIGHT = [
  "#0072b2",
  "#d55e00",
  "#009e73",
  "#cc79a7",
  "#8a6d00",
  "#3fa7dc",
  "#7a4a9e",
  "#4d4d4d",
];
const DARK = [
  "#56b4e9",
  "#ff9248",
  "#2fd0a3",
  "#e79fc8",
  "#e6c229",
  "#8fb8ff",
  "#bf95e8",
  "#bdbdbd",
];
const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3]];

const prefers = matchMedia("(prefers-color-scheme: dark)");
/** Whether the page is dark; who reads it is drawn again when that changes. */
export const dark = signal(prefers.matches);
prefers.addEventListener("change", () => (dark.value = prefers.matches));

const palette = (): string[] => (dark.value ? DARK : LIGHT);

// The colours of the palette, then the same dashed, and so on: which of them a shown run has.
const places = new Map<number, number>();

/** Share the colours out among the runs that are shown: those that have one keep it. */
export function shareColors(shown: number[]): void {
  const all = new Set(shown);
  for (const id of places.keys()) if (!all.has(id)) places.delete(id);
  const taken = new Set(places.values());
  for (let [at, round] = [0, 0]; at < shown.length; ) {
    const id = shown[at] as number;
    // Its own, as far as it is free, so that a link shows the same again.
    const free = LIGHT.map(
      (_, turn) => round * LIGHT.length + ((id - 1 + turn) % LIGHT.length),
    ).find((one) => !taken.has(one));
    if (places.has(id)) at += 1;
    else if (free === undefined) round += 1;
    else {
      places.set(id, free);
      taken.add(free);
    }
  }
}

const placeOf = (runId: number): number => places.get(runId) ?? (runId - 1) % LIGHT.length;

export const color = (runId: number): string => colorAt(placeOf(runId));

/** How the line of a run is broken, if others had its colour before. */
export const dash = (runId: number): number[] => dashAt(placeOf(runId));

export const colorAt = (place: number): string => palette()[place % LIGHT.length] as string;
export const dashAt = (place: number): number[] =>
  DASHES[Math.floor(place / LIGHT.length) % DASHES.length] as number[];

// From dark to light, evenly so, and told apart with any colour vision (a few stops of viridis; the
// ends that are too near to the paper are left out).
const LOW_TO_HIGH_LIGHT = ["#440154", "#3b528b", "#21918c", "#35a853", "#a8b400"];
const LOW_TO_HIGH_DARK = ["#7d5bd0", "#4b8bd0", "#2bb3a3", "#7ad151", "#fde725"];

/** A colour for a share from 0 to 1. */
export function shade(share: number): string {
  const stops = dark.value ? LOW_TO_HIGH_DARK : LOW_TO_HIGH_LIGHT;
  const place = Math.min(1, Math.max(0, share)) * (stops.length - 1);
  const at = Math.min(stops.length - 2, Math.floor(place));
  const parts = (text: string) =>
    [1, 3, 5].map((start) => parseInt(text.slice(start, start + 2), 16));
  const [from, to] = [parts(stops[at] as string), parts(stops[at + 1] as string)];
  const mixed = from.map((one, index) =>
    Math.round(one + ((to[index] as number) - one) * (place - at)),
  );
  return `#${mixed.map((one) => one.toString(16).padStart(2, "0")).join("")}`;
}
