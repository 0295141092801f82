// The open dialog of the shell. Dialogs are loaded when the first one is opened.

import { useEffect, useLayoutEffect } from "preact/hooks";
import { useModule } from "../ui/lazy-module";
import { closeDialog, openDialog, setLoading } from "./state";

const load = () => import("./dialogs");

export function LazyDialogs() {
  return openDialog.value ? <OpenDialog /> : null;
}

function OpenDialog() {
  const { module, error } = useModule(load);
  const name = openDialog.value;
  const isLoading = !module && !error;
  useLayoutEffect(() => {
    setLoading(isLoading);
    return () => setLoading(false);
  }, [isLoading]);
  useEffect(() => {
    // The banner says so, and the next use tries again.
    if (error) closeDialog();
  }, [error]);
  if (!module || !name) return null;
  if (name === "alerts") return <module.AlertsDialog onClose={closeDialog} />;
  if (name === "shortcuts") return <module.ShortcutsDialog onClose={closeDialog} />;
  return <module.Palette key={name} projectsOnly={name === "projects"} onClose={closeDialog} />;
}
