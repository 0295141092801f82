// A button that copies a text to the clipboard.

import { useState } from "preact/hooks";

interface Props {
  text: () => string | Promise<string>;
  label: string;
  children?: string;
}

export function CopyButton({ text, label, children }: Props) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await writeClipboard(await text());
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <button
      type="button"
      class={children ? "copy" : "copy icon"}
      aria-label={children ? undefined : label}
      title={label}
      onClick={() => void copy()}
    >
      <span aria-live="polite">{copied ? "Copied" : (children ?? "Copy")}</span>
    </button>
  );
}

async function writeClipboard(text: string): Promise<void> {
  // Browsers offer the clipboard API only on localhost and over https.
  if (navigator.clipboard) {
    try {
      return await navigator.clipboard.writeText(text);
    } catch {
      // Permission denied: the deprecated command may still work.
    }
  }
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
