import { describe, expect, test } from "vitest";
import { columnChoices, figureOf } from "../../src/table/column-choices";
import { columnTitles } from "../../src/table/column-titles";

describe("columnTitles", () => {
  test.each([
    [["config.lr"], ["lr"]],
    [["config.optimizer/learning_rate"], ["learning_rate"]],
    [["metric.train/accuracy.max"], ["max accuracy"]],
    [
      ["metric.train/accuracy.max", "metric.val/accuracy.max", "config.lr", "metric.lr"],
      ["max train/accuracy", "max val/accuracy", "config.lr", "metric.lr"],
    ],
    [[], []],
  ])("of %j", (fields, titles) => {
    expect(columnTitles(fields)).toEqual(titles);
  });

  test("are different for different fields", () => {
    const parts = ["a", "bb", "config", "a_long_name", "another_long_name"];
    const paths = parts.flatMap((left) => parts.map((right) => `${left}/${right}`));
    const fields = ["config", "metric"].flatMap((kind) =>
      [...parts, ...paths].map((path) => `${kind}.${path}`),
    );
    expect(new Set(columnTitles(fields)).size).toBe(fields.length);
  });
});

describe("figureOf", () => {
  test.each([
    ["metric.loss", "metric.loss", "last"],
    ["metric.loss.min", "metric.loss", "min"],
    ["metric.loss.last_step", "metric.loss", "last_step"],
    ["metric.loss.other", "metric.loss", undefined],
    ["metric.loss2", "metric.loss", undefined],
    ["config.lr", "metric.loss", undefined],
  ])("of %s as %s is %j", (column, field, figure) => {
    expect(figureOf(column, field)).toBe(figure);
  });
});

test("columnChoices offers figures of numbers only", () => {
  const metric = (path: string, kind: string) => ({ path, field: `metric.${path}`, runs: 1, kind });
  const choices = columnChoices({
    config: [{ key: "lr", field: "config.lr", runs: 1 }],
    metrics: [metric("alerts/warn", "text"), metric("loss", "number"), metric("w", "histogram")],
    environment: [{ key: "git/branch", field: "env.git/branch", runs: 1 }],
  });
  const numbers = [metric("cpu", "number"), metric("acc", "number"), metric("loss", "bool")];
  const ordered = columnChoices({ config: [], metrics: numbers, environment: [] });
  expect(ordered.slice(0, 3).map(({ name }) => name)).toEqual(["loss", "acc", "cpu"]);
  const figures = Object.fromEntries(choices.map((choice) => [choice.name, choice.figures.length]));
  expect(figures).toMatchObject({
    loss: 9,
    "alerts/warn": 0,
    w: 0,
    lr: 0,
    "git/branch": 0,
    duration: 0,
  });
  const headings = [...new Set(choices.map(({ heading }) => heading))];
  expect(headings).toEqual([
    "Metrics",
    "Configuration",
    "Environment",
    "Run",
    "Texts and histograms",
  ]);
});
