import { describe, expect, test } from "vitest";
import { defaultPath, indexOfStep, parseStep } from "../../src/media/steps";

const large = 2n ** 60n;

describe("indexOfStep", () => {
  test("a step, or the nearest one before it", () => {
    expect(indexOfStep([0, 0.5, 10, large], 10)).toBe(2);
    expect(indexOfStep([0, 0.5, 10, large], 9)).toBe(1);
    expect(indexOfStep([0, 0.5, 10, large], large)).toBe(3);
    expect(indexOfStep([5, 10], 1)).toBe(0);
  });

  test("by default the last one", () => {
    expect(indexOfStep([0, 5], undefined)).toBe(1);
    expect(indexOfStep([], undefined)).toBe(-1);
  });
});

test("steps in the address", () => {
  expect(parseStep("0")).toBe(0);
  expect(parseStep("-1.5")).toBe(-1.5);
  expect(parseStep(String(large))).toBe(large);
  for (const text of ["", " ", "x", "Infinity"]) expect(parseStep(text)).toBeUndefined();
});

test("images are shown first, then what else is drawn", () => {
  const path = (name: string) => ({
    path: name,
    name,
    runs: 1,
    files: 1,
    first_step: null,
    last_step: null,
  });
  const [text, cloud, image] = [path("a.txt"), path("b.pts.json"), path("c.png")];
  expect(defaultPath([text, cloud, image])).toBe("c.png");
  expect(defaultPath([text, cloud])).toBe("b.pts.json");
  expect(defaultPath([text])).toBe("a.txt");
  expect(defaultPath([])).toBeUndefined();
});
