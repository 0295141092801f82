// Colours of runs: Okabe and Ito's palette and darker variants, distinguishable with any colour
// vision. A run keeps its colour while it is shown. With more runs than colours, colours repeat
// with dashed lines.

import { signal } from "@preact/signals";
import { isDark } from "./theme";

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

export interface LineStyle {
  color: string;
  dash: number[];
}

// A slot is a colour and a dash pattern: all colours solid, then all colours dashed, and so on.
const slots = new Map<number, number>();

/** Assign slots to the runs that are shown; runs that have one keep it. */
export function assignColors(runIds: number[]): void {
  const shown = new Set(runIds);
  for (const id of slots.keys()) if (!shown.has(id)) slots.delete(id);
  const taken = new Set(slots.values());
  for (const id of runIds) {
    if (slots.has(id)) continue;
    const slot = freeSlot(id, taken);
    slots.set(id, slot);
    taken.add(slot);
  }
}

/** The run's default slot if it is free, so that a link shows the same colours again. */
function freeSlot(runId: number, taken: Set<number>): number {
  for (let round = 0; ; round++) {
    for (let offset = 0; offset < LIGHT.length; offset++) {
      const slot = round * LIGHT.length + ((runId - 1 + offset) % LIGHT.length);
      if (!taken.has(slot)) return slot;
    }
  }
}

export const slotStyle = (slot: number): LineStyle => ({
  color: (isDark.value ? DARK : LIGHT)[slot % LIGHT.length] as string,
  dash: DASHES[Math.floor(slot / LIGHT.length) % DASHES.length] as number[],
});

/** The dash pattern of the second, third, … line of the same colour. */
export const dashOf = (index: number): number[] => DASHES[index % DASHES.length] as number[];

export function runStyle(runId: number): LineStyle {
  const style = slotStyle(slots.get(runId) ?? (runId - 1) % LIGHT.length);
  const color = customColors.value[runId];
  // A colour set by hand is of one run only, which needs no dashes.
  return color ? { color, dash: [] } : style;
}

const STORAGE_KEY = "run-colors";

/** The colours of runs that were set by hand, by row id; this browser keeps them. */
export const customColors = signal<Record<number, string>>(readColors());

/** Set the colour of a run; undefined for the default. */
export function setColor(runId: number, color: string | undefined): void {
  const { [runId]: _, ...others } = customColors.peek();
  customColors.value = color ? { ...others, [runId]: color } : others;
  localStorage.setItem(STORAGE_KEY, JSON.stringify(customColors.value));
}

function readColors(): Record<number, string> {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "{}");
    const entries = Object.entries(stored as Record<string, string>);
    return Object.fromEntries(entries.filter(([, color]) => /^#[0-9a-f]{6}$/.test(color)));
  } catch {
    // Not ours, or no storage.
    return {};
  }
}

export const runColor = (runId: number): string => runStyle(runId).color;

// From dark to light in even steps: a few stops of viridis, without the ends that are too close to
// the background.
const GRADIENT_LIGHT = ["#440154", "#3b528b", "#21918c", "#35a853", "#a8b400"];
const GRADIENT_DARK = ["#7d5bd0", "#4b8bd0", "#2bb3a3", "#7ad151", "#fde725"];

/** The colour at a position from 0 to 1 of a gradient. */
export function gradientColor(position: number): string {
  const stops = isDark.value ? GRADIENT_DARK : GRADIENT_LIGHT;
  const scaled = Math.min(1, Math.max(0, position)) * (stops.length - 1);
  const index = Math.min(stops.length - 2, Math.floor(scaled));
  const [from, to] = [channels(stops[index] as string), channels(stops[index + 1] as string)];
  const mixed = from.map((channel, at) =>
    Math.round(channel + ((to[at] as number) - channel) * (scaled - index)),
  );
  return `#${mixed.map((channel) => channel.toString(16).padStart(2, "0")).join("")}`;
}

const channels = (color: string): number[] =>
  [1, 3, 5].map((start) => parseInt(color.slice(start, start + 2), 16));
