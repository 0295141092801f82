// A question that must be answered before anything else.

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

export function Dialog({
  title,
  action,
  dangerous,
  onDo,
  onClose,
  children,
}: {
  title: string;
  action: string;
  dangerous?: boolean;
  onDo: () => Promise<unknown>;
  onClose: () => void;
  children: ComponentChildren;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [problem, setProblem] = useState("");
  useLayoutEffect(() => {
    dialog.current?.showModal();
  }, []);
  const act = async (event: Event) => {
    event.preventDefault();
    try {
      await onDo();
      dialog.current?.close();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby="dialog-title">
      <form onSubmit={(event) => void act(event)}>
        <h2 id="dialog-title">{title}</h2>
        {children}
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
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
