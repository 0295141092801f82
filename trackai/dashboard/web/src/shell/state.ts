// Which dialog of the shell is open.

import { signal } from "@preact/signals";

/** "projects" is the palette with projects only. */
export type ShellDialog = "palette" | "projects" | "alerts" | "shortcuts";

export const openDialog = signal<ShellDialog | undefined>(undefined);

export const closeDialog = (): void => {
  openDialog.value = undefined;
};
