// Copying from tables whose cells show rounded values.

/** Put the full values of the selected cells on the clipboard, as lines of cells with tabs. */
export function copyFullValues(event: ClipboardEvent): void {
  const selection = getSelection();
  const table = event.currentTarget as HTMLElement;
  if (!selection || selection.isCollapsed || !event.clipboardData) return;
  const rows = [...table.querySelectorAll("tr")]
    .map((row) => [...row.children].filter((cell) => selection.containsNode(cell, true)))
    .filter((cells) => cells.length > 0) as HTMLElement[][];
  const cells = rows.flat();
  const [only] = cells;
  // A part of a text is copied as it is.
  const isPart = only && cells.length === 1 && selection.toString().trim() !== shownText(only);
  if (isPart || !cells.some((cell) => roundedPart(cell))) return;
  const lines = rows.map((row) => row.map(fullText).join("\t"));
  event.clipboardData.setData("text/plain", lines.join("\n"));
  event.preventDefault();
}

/** What shows the value of a cell, which is in its attribute: the cell itself or a part of it. */
const roundedPart = (cell: HTMLElement): HTMLElement | null =>
  cell.dataset.value === undefined ? cell.querySelector("[data-value]") : cell;

const shownText = (cell: HTMLElement): string | undefined =>
  (roundedPart(cell) ?? cell).textContent?.trim();

const fullText = (cell: HTMLElement): string =>
  roundedPart(cell)?.dataset.value ?? cell.textContent ?? "";
