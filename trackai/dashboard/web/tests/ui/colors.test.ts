import { describe, expect, test } from "vitest";
import { assignColors, gradientColor, runStyle, slotStyle } from "../../src/ui/colors";
import { theme } from "../../src/ui/theme";

const key = (id: number) => JSON.stringify(runStyle(id));
const range = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

describe("assignColors", () => {
  test("gives different styles, solid ones first", () => {
    assignColors(range(32));
    expect(new Set(range(32).map(key)).size).toBe(32);
    expect(range(8).every((id) => runStyle(id).dash.length === 0)).toBe(true);
  });

  test("runs keep their style while they are shown", () => {
    assignColors([7, 15]);
    const [seventh, fifteenth] = [key(7), key(15)];
    expect(seventh).not.toBe(fifteenth);
    assignColors([13, 15, 7]);
    expect([key(7), key(15)]).toEqual([seventh, fifteenth]);
    expect([seventh, fifteenth]).not.toContain(key(13));
  });

  test("a link assigns the same styles again", () => {
    assignColors([]);
    assignColors([3, 11, 19]);
    const first = [3, 11, 19].map(key);
    assignColors([]);
    assignColors([3, 11, 19]);
    expect([3, 11, 19].map(key)).toEqual(first);
  });
});

test("slots repeat the colours with dashes", () => {
  expect(slotStyle(8).color).toBe(slotStyle(0).color);
  expect(slotStyle(8).dash).not.toEqual(slotStyle(0).dash);
});

test("gradientColor goes from the first stop to the last", () => {
  expect(gradientColor(0)).toBe("#440154");
  expect(gradientColor(-1)).toBe(gradientColor(0));
  expect(gradientColor(1)).toBe("#a8b400");
  expect(gradientColor(0.5)).toBe("#21918c");
  expect(gradientColor(0.3)).toMatch(/^#[0-9a-f]{6}$/);
  theme.value = "dark";
  expect(gradientColor(0)).toBe("#7d5bd0");
  theme.value = "light";
});
