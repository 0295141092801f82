// A button that copies a text.

import { useState } from "preact/hooks";

export function Copy({
  text,
  label,
  children,
}: {
  text: () => string;
  label: string;
  children?: string;
}) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    await put(text());
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  return (
    <button
      type="button"
      class={children ? "copy" : "copy icon"}
      aria-label={children ? undefined : label}
      title={label}
      onClick={() => void copy()}
    >
      <span aria-live="polite">{done ? "Copied" : (children ?? "Copy")}</span>
    </button>
  );
}

async function put(text: string): Promise<void> {
  if (navigator.clipboard) {
    try {
      return await navigator.clipboard.writeText(text);
    } catch {
      // Not allowed: the old way may be.
    }
  }
  // Browsers have a clipboard for pages of this machine and of https only.
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
