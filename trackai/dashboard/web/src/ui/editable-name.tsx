// A name that is edited in place.

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { errorText } from "./errors";

interface Props {
  name: string;
  /** Undefined for a name that cannot be changed. */
  onRename?: (name: string) => Promise<unknown>;
  /** The key that starts editing; the Tab key then skips the button. */
  shortcut?: string;
  children: ComponentChildren;
}

export function EditableName({ name, onRename, shortcut, children }: Props) {
  const [editing, setEditing] = useState(false);
  const [error, setError] = useState("");
  const button = useRef<HTMLButtonElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const closed = useRef(true);
  useLayoutEffect(() => {
    closed.current = !editing;
    if (editing) input.current?.select();
  }, [editing]);
  const close = () => {
    // Removing the input blurs it, which would save a second time.
    closed.current = true;
    setEditing(false);
    setError("");
    // Return the focus for keyboard users.
    requestAnimationFrame(() => button.current?.focus());
  };
  const save = async (text: string) => {
    if (closed.current) return;
    const newName = text.trim();
    if (!newName || newName === name) return close();
    try {
      await onRename?.(newName);
      close();
    } catch (problem) {
      setError(errorText(problem));
    }
  };
  if (!onRename) return <>{children}</>;
  if (!editing) {
    return (
      <>
        {children}
        <button
          type="button"
          class="pencil"
          ref={button}
          aria-label={`Rename ${name}`}
          title={shortcut ? `Rename (${shortcut})` : "Rename"}
          aria-keyshortcuts={shortcut}
          tabIndex={shortcut ? -1 : 0}
          onClick={() => setEditing(true)}
        >
          ✎
        </button>
      </>
    );
  }
  return (
    <input
      class="rename"
      aria-label={`New name for ${name}`}
      defaultValue={name}
      maxLength={512}
      title={error}
      aria-invalid={error !== ""}
      ref={input}
      onKeyDown={(event) => {
        if (event.key === "Enter") void save(event.currentTarget.value);
        if (event.key === "Escape") close();
      }}
      onBlur={(event) => void save(event.currentTarget.value)}
    />
  );
}
