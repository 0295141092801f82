// Saving a file from the page.

export function saveFile(name: string, content: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  // Not before the browser has started to read it.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** A file name for a metric: characters other than letters, digits, "." and "_" become "-". */
export const fileName = (path: string, extension: string): string =>
  `${path.replace(/[^\p{L}\p{N}._-]+/gu, "-")}.${extension}`;
