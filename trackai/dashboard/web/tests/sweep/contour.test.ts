import { describe, expect, test } from "vitest";
import { makeAxis } from "../../src/compare/axis";
import { cellAt, contourLines, makeSurface } from "../../src/sweep/contour";

const run = (values: Record<string, unknown>) => ({ values });
const numbers = makeAxis([run({ n: 0 }), run({ n: 1 })], "n", { tickCount: 5 });
const words = makeAxis([run({ w: "a" }), run({ w: "b" }), run({ w: "c" })], "w", { tickCount: 5 });

describe("makeSurface", () => {
  test("is the value of the runs near by, and blank elsewhere", () => {
    const surface = makeSurface([{ x: 0.25, y: 0.25, value: 0.7 }], numbers, numbers);
    const at = (x: number, y: number) =>
      surface.values[
        cellAt(y, surface.rows, false) * surface.columns + cellAt(x, surface.columns, false)
      ];
    expect(at(0.25, 0.25)).toBeCloseTo(0.7);
    expect(at(0.3, 0.25)).toBeCloseTo(0.7);
    expect(at(0.5, 0.25)).toBeNaN();
    expect(at(0.9, 0.9)).toBeNaN();
  });

  test("is between two runs what is nearer", () => {
    const points = [
      { x: 0.4, y: 0.5, value: 0 },
      { x: 0.6, y: 0.5, value: 1 },
    ];
    const { values, columns, rows } = makeSurface(points, numbers, numbers);
    const row = [...values.slice(columns * Math.floor(rows / 2), columns * (rows / 2 + 1))];
    const middle = row.slice(Math.floor(columns * 0.4), Math.ceil(columns * 0.6));
    expect(middle).toEqual([...middle].sort((left, right) => left - right));
    expect(middle[0]).toBeLessThan(0.1);
    expect(middle.at(-1)).toBeGreaterThan(0.9);
  });

  test("does not mix categories", () => {
    const points = [
      { x: 0, y: 0.5, value: 0 },
      { x: 0.5, y: 0.5, value: 1 },
    ];
    const { values, columns, rows } = makeSurface(points, words, numbers);
    expect(columns).toBe(3);
    const line = Math.floor(rows / 2) * columns;
    expect([...values.slice(line, line + 3)]).toEqual([0, 1, Number.NaN]);
  });

  test("of no points is blank", () => {
    const surface = makeSurface([], numbers, words);
    expect(surface.values.every(Number.isNaN)).toBe(true);
    expect(contourLines(surface)).toEqual([]);
  });
});

describe("contourLines", () => {
  test("of a slope are parallel lines", () => {
    const [columns, rows] = [9, 5];
    const values = Float64Array.from({ length: columns * rows }, (_, cell) => cell % columns);
    const lines = contourLines({ columns, rows, values });
    expect(lines.length).toBe(7 * (rows - 1));
    for (const [x1, , x2] of lines) expect(x1).toBeCloseTo(x2);
  });

  test("end where the surface is blank, and a plane has none", () => {
    const flat = { columns: 3, rows: 3, values: new Float64Array(9).fill(2) };
    expect(contourLines(flat)).toEqual([]);
    const values = Float64Array.from([0, Number.NaN, 1, Number.NaN]);
    expect(contourLines({ columns: 2, rows: 2, values })).toEqual([]);
  });
});
