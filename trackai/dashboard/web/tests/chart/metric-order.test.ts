import { expect, test } from "vitest";
import { orderMetrics, rankOf } from "../../src/chart/metric-order";
import { groupIntoSections } from "../../src/chart/metric-sections";

test.each([
  ["train/loss", 0],
  ["valLoss", 0],
  ["eval/perplexity", 0],
  ["val/acc", 1],
  ["f1", 1],
  ["lr", 2],
  ["epoch", 2],
  ["loss_scale", 2],
  ["grad_norm", 3],
  ["grad_norm/layer0.weight", 3],
  ["loss/gradients/3", 3],
  ["params/layer1", 3],
])("rankOf(%s) is %i", (path, rank) => {
  expect(rankOf(path)).toBe(rank);
});

test("losses come first, then scores, and the insides of a model last", () => {
  const norms = Array.from({ length: 16 }, (_, layer) => `grad_norm/${layer}`);
  const paths = ["epoch", ...norms, "lr", "train/acc", "train/loss", "val/acc", "val/loss"];
  expect(orderMetrics(paths)).toEqual([
    "train/loss",
    "val/loss",
    "train/acc",
    "val/acc",
    "epoch",
    "lr",
    ...norms,
  ]);
  const sections = groupIntoSections(orderMetrics(paths)).map(([name]) => name);
  expect(sections).toEqual(["train", "val", "", "grad_norm"]);
});
