// Where sections and their rows of cards are, and which of them are visible.

/** Sizes in pixels. */
export interface Sizes {
  columns: number;
  header: number;
  /** The height of a row of cards and the gap below it. */
  row: number;
}

export interface PlacedSection {
  index: number;
  /** The rows of cards to render: from `first` up to, not including, `end`. */
  first: number;
  end: number;
  rows: number;
}

export interface VisibleSections {
  sections: PlacedSection[];
  /** The heights of what is not rendered above and below. */
  above: number;
  below: number;
}

/** What is visible between two heights of a list of sections with so many cards each. */
export function visibleSections(
  cards: number[],
  sizes: Sizes,
  top: number,
  bottom: number,
): VisibleSections {
  const sections: PlacedSection[] = [];
  let [position, above, below] = [0, 0, 0];
  cards.forEach((count, index) => {
    const rows = Math.ceil(count / sizes.columns);
    const height = sizes.header + rows * sizes.row;
    if (position + height <= top) above += height;
    else if (position >= bottom) below += height;
    else {
      const body = position + sizes.header;
      const clamp = (row: number) => Math.min(rows, Math.max(0, row));
      const first = clamp(Math.floor((top - body) / sizes.row));
      const end = clamp(Math.ceil((bottom - body) / sizes.row));
      sections.push({ index, first, end, rows });
    }
    position += height;
  });
  return { sections, above, below };
}

/** The number of columns of a grid: narrower than `least` pixels only if it is narrow itself. */
export const columnsOf = (width: number, least: number, gap: number): number =>
  Math.max(1, Math.floor((width + gap) / (least + gap)));
