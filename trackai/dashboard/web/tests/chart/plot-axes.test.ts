import { expect, test } from "vitest";
import { durationUnit, timeLabels } from "../../src/chart/plot-axes";

const at = (...parts: [number, number, number, number]) =>
  new Date(2024, 0, ...parts).getTime() / 1000;

test("timeLabels have the date wherever it changes", () => {
  const ticks = [at(1, 23, 0, 0), at(1, 23, 30, 0), at(2, 0, 0, 0), at(2, 0, 30, 0)];
  expect(timeLabels(ticks, 1800)).toEqual([
    "23:00\n2024-01-01",
    "23:30",
    "00:00\n2024-01-02",
    "00:30",
  ]);
});

test("timeLabels are as fine as their increment", () => {
  const tick = at(1, 10, 20, 30);
  expect(timeLabels([tick], 86400)).toEqual(["2024-01-01"]);
  expect(timeLabels([tick], 30)).toEqual(["10:20:30\n2024-01-01"]);
  expect(timeLabels([tick + 0.5], 0.5)).toEqual(["10:20:30.5\n2024-01-01"]);
  expect(timeLabels([tick + 0.25], 0.01)).toEqual(["10:20:30.250\n2024-01-01"]);
});

test.each([
  [1, " s"],
  [119, " s"],
  [120, " min"],
  [7200, " h"],
  [200_000, " d"],
])("durationUnit(%d) is %s", (span, suffix) => {
  expect(durationUnit(span)[1]).toBe(suffix);
});
