// Which dialog of the shell is open.

import { signal } from "@preact/signals";

/** "projects" is the palette with projects only. */
export type ShellDialog = "palette" | "projects" | "alerts" | "shortcuts";

export const openDialog = signal<ShellDialog | undefined>(undefined);

/** What was typed since the palette was opened, before it was shown. */
let typedAhead = "";
let shownDialog: ShellDialog | undefined;

export function setShown(name: ShellDialog | undefined): void {
  shownDialog = name;
  typedAhead = "";
}

/** Keep a character for the dialog that was opened until it is shown; whether it was kept. */
export function typeAhead(key: string): boolean {
  const name = openDialog.peek();
  if (!name || name === shownDialog || key.length !== 1) return false;
  typedAhead += key;
  return true;
}

export function takeTypedAhead(): string {
  const text = typedAhead;
  typedAhead = "";
  return text;
}

/** Close a dialog, unless another one has been opened: a browser reports the end of one late. */
export function closeDialog(name: ShellDialog): void {
  if (openDialog.peek() === name) openDialog.value = undefined;
}
