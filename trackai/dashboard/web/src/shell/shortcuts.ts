// The keyboard shortcuts of all pages. Single keys do nothing while the user types.

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { readStored, store } from "../ui/storage";
import { isDark, setTheme } from "../ui/theme";
import { go } from "../view/address";
import { crumbs, projectPage } from "../view/crumbs";
import { closeDialog, openDialog, type ShellDialog, typeAhead } from "./state";

const STORAGE_KEY = "single-keys";

/** Whether single keys are shortcuts: people who dictate type them by accident. */
export const hasSingleKeys = signal(readStored(STORAGE_KEY) !== "off");

export function setSingleKeys(isOn: boolean): void {
  hasSingleKeys.value = isOn;
  store(STORAGE_KEY, isOn ? "on" : "off");
}

const isMac = /Mac|iP(hone|ad|od)/.test(navigator.platform);
export const PALETTE_KEYS = isMac ? "⌘K" : "Ctrl K";

const ACTIONS: Record<string, () => void> = {
  "/": focusSearch,
  "?": () => open("shortcuts"),
  a: () => open("alerts"),
  p: () => open("projects"),
  t: toggleTheme,
  u: goUp,
};

/** React to the shortcuts while the page is shown. */
export function useShortcuts(isOn: boolean): void {
  useEffect(() => {
    if (!isOn) return;
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  }, [isOn]);
}

function onKeyDown(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing || event.repeat) return;
  const isOtherDialog = document.querySelector("dialog[open]") && !openDialog.peek();
  if (isOtherDialog) return;
  if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    open("palette");
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (typeAhead(event.key)) {
    event.preventDefault();
    return;
  }
  if (!hasSingleKeys.peek() || isTyping(event.target)) return;
  if (document.querySelector("dialog[open]")) return;
  const action = ACTIONS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

const UNTYPED = ["checkbox", "radio", "range", "color", "button", "submit"];

function isTyping(target: EventTarget | null): boolean {
  // An input of a dialog that has just closed keeps the focus until the next frame.
  if (!(target instanceof HTMLElement) || !target.checkVisibility()) return false;
  if (target instanceof HTMLInputElement) return !UNTYPED.includes(target.type);
  return target.isContentEditable || target.matches("textarea, select");
}

/** Open a dialog in place of the one that is open; the same one again closes it. */
function open(name: ShellDialog): void {
  if (openDialog.peek() === name) closeDialog(name);
  else openDialog.value = name;
}

export function toggleTheme(): void {
  setTheme(isDark.peek() ? "light" : "dark");
}

/** From a run, a comparison or the trash to the project, and from a project to the list of them. */
export function goUp(): void {
  const { projectId, page } = crumbs.peek();
  if (projectId === undefined) return;
  go(page === undefined ? {} : projectPage(projectId), { keep: false });
}

/** Put the focus into the first search box of the page. */
function focusSearch(): void {
  const boxes = document.querySelectorAll<HTMLInputElement>('main input[type="search"]');
  const box = [...boxes].find((element) => element.checkVisibility());
  box?.focus();
  box?.select();
}
