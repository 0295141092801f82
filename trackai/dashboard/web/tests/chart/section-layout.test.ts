import { describe, expect, test } from "vitest";
import { columnsOf, visibleSections } from "../../src/chart/section-layout";

const sizes = { columns: 3, header: 30, row: 100 };

describe("visibleSections", () => {
  test("renders the rows within the part, and no section outside it", () => {
    // Heights: 230, 30 (closed), 430, 130.
    const cards = [5, 0, 12, 1];
    expect(visibleSections(cards, sizes, 0, 200)).toEqual({
      sections: [{ index: 0, first: 0, end: 2, rows: 2 }],
      above: 0,
      below: 590,
    });
    expect(visibleSections(cards, sizes, 400, 480)).toEqual({
      sections: [{ index: 2, first: 1, end: 2, rows: 4 }],
      above: 260,
      below: 130,
    });
    const { sections, above, below } = visibleSections(cards, sizes, 230, 261);
    expect(sections.map(({ index, end }) => [index, end])).toEqual([
      [1, 0],
      [2, 0],
    ]);
    expect([above, below]).toEqual([230, 130]);
  });

  test("the heights are those of the whole list, wherever it is scrolled to", () => {
    const cards = Array.from({ length: 50 }, (_, index) => (index * 7) % 11);
    const height = (count: number) => 30 + Math.ceil(count / 3) * 100;
    const total = cards.reduce((sum, count) => sum + height(count), 0);
    for (let top = -500; top < total + 500; top += 333) {
      const { sections, above, below } = visibleSections(cards, sizes, top, top + 900);
      const shown = sections.reduce((sum, { index }) => sum + height(cards[index] as number), 0);
      expect(above + shown + below).toBe(total);
    }
  });
});

test.each([
  [1000, 3],
  [984, 3],
  [983, 2],
  [100, 1],
])("columnsOf(%i pixels) is %i", (width, columns) => {
  expect(columnsOf(width, 320, 12)).toBe(columns);
});
