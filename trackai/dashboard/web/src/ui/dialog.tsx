// A modal dialog that confirms or cancels an action.

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { errorText } from "./errors";
import { ErrorMessage } from "./messages";

interface Props {
  title: string;
  /** The text of the confirming button. */
  action: string;
  dangerous?: boolean;
  /** Runs the action; the dialog stays open and shows the error if it throws. */
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
  children: ComponentChildren;
}

export function Dialog({ title, action, dangerous, onConfirm, onClose, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [error, setError] = useState("");
  useLayoutEffect(() => {
    dialog.current?.showModal();
  }, []);
  const confirm = async (event: Event) => {
    event.preventDefault();
    try {
      await onConfirm();
      dialog.current?.close();
    } catch (problem) {
      setError(errorText(problem));
    }
  };
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby="dialog-title">
      <form onSubmit={(event) => void confirm(event)}>
        <h2 id="dialog-title">{title}</h2>
        {children}
        <ErrorMessage message={error} />
        <p class="actions">
          <button type="submit" class={dangerous ? "dangerous" : "main"}>
            {action}
          </button>
          <button type="button" autofocus={dangerous} onClick={() => dialog.current?.close()}>
            Cancel
          </button>
        </p>
      </form>
    </dialog>
  );
}
