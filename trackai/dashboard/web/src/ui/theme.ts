// The colour scheme: that of the system, or the one that this browser was told to use.

import { computed, signal } from "@preact/signals";
import { readStored, store } from "./storage";

export type Theme = "system" | "light" | "dark";
export const THEMES: Theme[] = ["system", "light", "dark"];

const STORAGE_KEY = "theme";
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const systemIsDark = signal(prefersDark.matches);
prefersDark.addEventListener("change", () => {
  systemIsDark.value = prefersDark.matches;
});

export const theme = signal<Theme>(parseTheme(readStored(STORAGE_KEY)));

/** Whether the page uses the dark scheme; readers are redrawn when it changes. */
export const isDark = computed(() =>
  theme.value === "system" ? systemIsDark.value : theme.value === "dark",
);

export function setTheme(next: Theme): void {
  store(STORAGE_KEY, next);
  apply(next);
}

// The style sheets follow the system unless the attribute tells them otherwise. It is set before
// readers of `isDark` read colours from them.
function apply(next: Theme): void {
  const { dataset } = document.documentElement;
  if (next === "system") delete dataset.theme;
  else dataset.theme = next;
  theme.value = next;
}

function parseTheme(text: string | null): Theme {
  return THEMES.find((name) => name === text) ?? "system";
}

/** Use the theme that this browser keeps; before the page is rendered. */
export const restoreTheme = (): void => apply(theme.peek());

// Another tab has changed it.
addEventListener("storage", (event) => {
  if (event.key === STORAGE_KEY) apply(parseTheme(event.newValue));
});
