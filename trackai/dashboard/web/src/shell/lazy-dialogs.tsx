// The open dialog of the shell. Dialogs are loaded when the first one is opened.

import { useEffect, useLayoutEffect } from "preact/hooks";
import { useModule } from "../ui/lazy-module";
import { closeDialog, openDialog, setShown } from "./state";

const load = () => import("./dialogs");

export function LazyDialogs() {
  return openDialog.value ? <OpenDialog /> : null;
}

function OpenDialog() {
  const { module, error } = useModule(load);
  const name = openDialog.value;
  const shown = module ? name : undefined;
  useLayoutEffect(() => {
    setShown(shown);
    return () => setShown(undefined);
  }, [shown]);
  useEffect(() => {
    // The banner says so, and the next use tries again.
    if (error && name) closeDialog(name);
  }, [error, name]);
  if (!module || !name) return null;
  const close = () => closeDialog(name);
  if (name === "alerts") return <module.AlertsDialog onClose={close} />;
  if (name === "shortcuts") return <module.ShortcutsDialog onClose={close} />;
  return <module.Palette key={name} projectsOnly={name === "projects"} onClose={close} />;
}
