// What is loaded once a dialog of the shell is opened.

export { AlertsDialog } from "./alerts-dialog";
export { Palette } from "./palette";
export { ShortcutsDialog } from "./shortcuts-dialog";

import "../styles/shell-dialogs.css";
