// A modal dialog to look something up in: it closes on Escape and on a click beside it.

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

interface Props {
  title: string;
  class: string;
  /** Show the title and a button that closes the dialog. */
  hasHead?: boolean;
  onClose: () => void;
  children: ComponentChildren;
}

export function Modal({ title, class: name, hasHead, onClose, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    dialog.current?.showModal();
  }, []);
  const closeBeside = (event: MouseEvent) => {
    // The content fills the dialog, so only the backdrop is the dialog itself.
    if (event.target === dialog.current) dialog.current?.close();
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes every dialog
    <dialog
      ref={dialog}
      class={`modal ${name}`}
      aria-label={title}
      onClose={onClose}
      onClick={closeBeside}
    >
      <div class="content">
        {hasHead && (
          <p class="modal-head">
            <strong>{title}</strong>
            <button type="button" autofocus onClick={() => dialog.current?.close()}>
              Close
            </button>
          </p>
        )}
        {children}
      </div>
    </dialog>
  );
}
