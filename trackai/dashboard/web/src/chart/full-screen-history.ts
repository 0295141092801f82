// The full screen is one entry of the history: closing it goes back.

import { go } from "../view/address";

// False if the page was loaded with a full-screen chart in its address.
let openedByPage = false;

export function openFullScreen(path: string): void {
  openedByPage = true;
  go({ full: path });
}

/** Go back to the entry that opened it, with the view as it is now. */
export function closeFullScreen(): void {
  const view = Object.fromEntries(new URLSearchParams(location.search));
  const close = () => go({ ...view, full: undefined }, { keep: false, replace: true });
  if (!openedByPage) {
    close();
    return;
  }
  openedByPage = false;
  addEventListener("popstate", close, { once: true });
  history.back();
}
