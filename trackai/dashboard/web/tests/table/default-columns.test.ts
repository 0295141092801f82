import { describe, expect, test } from "vitest";
import { dropIndex } from "../../src/table/column-drag";
import { defaultFigures } from "../../src/table/default-columns";

const figures = (metrics: Record<string, number>, kind = "number") =>
  defaultFigures({
    metrics: Object.entries(metrics).map(([path, runs]) => ({
      path,
      field: `metric.${path}`,
      runs,
      kind,
    })),
  });

describe("defaultFigures", () => {
  test("are the best of metrics whose direction is known, the last of others", () => {
    expect(figures({ epoch: 9, "train/loss": 9, accuracy: 9 })).toEqual([
      "metric.train/loss.min",
      "metric.accuracy.max",
      "metric.epoch",
    ]);
  });

  test("prefer held-out losses, and leave room for scores", () => {
    expect(figures({ "a/loss": 9, "b/loss": 9, "val/loss": 9, "val/acc": 9 })).toEqual([
      "metric.val/loss.min",
      "metric.a/loss.min",
      "metric.val/acc.max",
    ]);
  });

  test("are of metrics that most runs have", () => {
    expect(figures({ "rare/loss": 4, reward: 10, speed: 9 })).toEqual([
      "metric.reward.max",
      "metric.speed",
    ]);
  });

  test("are not of the machine, of the insides of a model, or of texts", () => {
    expect(figures({ "system/cpu": 9, "grad_norm/0": 9 })).toEqual([]);
    expect(figures({ loss: 9 }, "text")).toEqual([]);
    expect(figures({})).toEqual([]);
  });
});

test.each([
  [0, 0],
  [15, 1],
  [30, 2],
  [99, 3],
])("dropIndex of %i is %i", (x, index) => {
  expect(dropIndex([10, 20, 40], x)).toBe(index);
});
