// A name that can be changed where it stands.

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

export function Rename({
  name,
  onRename,
  shortcut,
  children,
}: {
  name: string;
  onRename: (name: string) => Promise<unknown>;
  /** What is pressed for it where it would be one stop too many for the Tab key. */
  shortcut?: string;
  children: ComponentChildren;
}) {
  const [editing, setEditing] = useState(false);
  const [problem, setProblem] = useState("");
  const button = useRef<HTMLButtonElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const done = useRef(true);
  useLayoutEffect(() => {
    done.current = !editing;
    if (editing) input.current?.select();
  }, [editing]);
  const close = () => {
    // An input that goes away loses the focus first, and would save once more.
    done.current = true;
    setEditing(false);
    setProblem("");
    // Whoever used the keyboard goes on from where they were.
    requestAnimationFrame(() => button.current?.focus());
  };
  const save = async (next: string) => {
    if (done.current) return;
    if (!next.trim() || next.trim() === name) return close();
    try {
      await onRename(next.trim());
      close();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
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
      aria-label={`New name of ${name}`}
      defaultValue={name}
      maxLength={512}
      title={problem}
      aria-invalid={problem !== ""}
      ref={input}
      onKeyDown={(event) => {
        if (event.key === "Enter") void save(event.currentTarget.value);
        if (event.key === "Escape") close();
      }}
      onBlur={(event) => void save(event.currentTarget.value)}
    />
  );
}
