// Which dialog of the shell is open.

import { signal } from "@preact/signals";

/** "projects" is the palette with projects only. */
export type ShellDialog = "palette" | "projects" | "alerts" | "shortcuts";

export const openDialog = signal<ShellDialog | undefined>(undefined);

/** What was typed since the palette was opened, while it was loaded. */
let typedAhead = "";
let isLoading = false;

export function setLoading(loading: boolean): void {
  isLoading = loading;
}

/** Keep a character for the palette while it is loaded; whether it was kept. */
export function typeAhead(key: string): boolean {
  if (!isLoading || key.length !== 1) return false;
  typedAhead += key;
  return true;
}

export function takeTypedAhead(): string {
  const text = typedAhead;
  typedAhead = "";
  return text;
}

export const closeDialog = (): void => {
  openDialog.value = undefined;
};
