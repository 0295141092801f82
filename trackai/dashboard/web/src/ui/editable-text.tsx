// A text that is edited in place, of one line or of several.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { errorText } from "./errors";
import { ErrorMessage } from "./messages";

interface Props {
  /** What the text is, as in "notes". */
  label: string;
  text: string;
  multiline?: boolean;
  /** Undefined for a text that cannot be changed. */
  onSave?: (text: string) => Promise<unknown>;
  /** What is shown while it is not edited. */
  children: ComponentChildren;
}

export function EditableText({ label, text, multiline, onSave, children }: Props) {
  const [draft, setDraft] = useState<string>();
  const [error, setError] = useState("");
  const close = () => {
    setDraft(undefined);
    setError("");
  };
  const save = async () => {
    try {
      if (draft !== undefined && draft !== text) await onSave?.(draft);
      close();
    } catch (problem) {
      setError(errorText(problem));
    }
  };
  if (draft === undefined) {
    return (
      <>
        {children}
        {onSave && (
          <button
            type="button"
            class="pencil"
            aria-label={`Edit ${label}`}
            title={`Edit ${label}`}
            onClick={() => setDraft(text)}
          >
            ✎
          </button>
        )}
      </>
    );
  }
  const field = {
    "aria-label": label,
    value: draft,
    autofocus: true,
    onInput: (event: { currentTarget: { value: string } }) => setDraft(event.currentTarget.value),
    onKeyDown: (event: KeyboardEvent) => {
      if (event.key === "Escape") close();
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void save();
    },
  };
  return (
    <form
      class="edited"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      {multiline ? <textarea rows={6} {...field} /> : <input {...field} />}
      <ErrorMessage message={error} />
      <button type="submit" title="Save (Ctrl+Enter)">
        Save
      </button>
      <button type="button" onClick={close}>
        Cancel
      </button>
    </form>
  );
}
