// The open dialog of the shell. Dialogs are loaded when the first one is opened.

import { useEffect } from "preact/hooks";
import { useModule } from "../ui/lazy-module";
import { PageError } from "../ui/messages";
import { closeDialog, openDialog } from "./state";

const load = () => import("./dialogs");

export function LazyDialogs() {
  return openDialog.value ? <OpenDialog /> : null;
}

function OpenDialog() {
  const { module, error } = useModule(load);
  const name = openDialog.value;
  useEffect(() => closeDialog, []);
  if (error) return <PageError>{error}</PageError>;
  if (!module || !name) return null;
  if (name === "alerts") return <module.AlertsDialog onClose={closeDialog} />;
  if (name === "shortcuts") return <module.ShortcutsDialog onClose={closeDialog} />;
  return <module.Palette key={name} projectsOnly={name === "projects"} onClose={closeDialog} />;
}
