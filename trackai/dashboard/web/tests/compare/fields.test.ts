import { describe, expect, test } from "vitest";
import { bestOf, betterByName, betterOf, toggleBetter } from "../../src/compare/better";
import { defaultAxes, defaultScatterX, defaultTarget } from "../../src/compare/default-fields";
import { fieldTitle, isDifferent, isInformative, withoutFigure } from "../../src/compare/fields";
import { batchFields } from "../../src/compare/request-batches";
import { isLogAxis, setLogAxis } from "../../src/compare/scatter-log";
import { runsWith } from "./runs";

test.each([
  ["config.lr", "lr"],
  ["metric.val/loss.min", "val/loss.min"],
  ['config."a, b"', "a, b"],
  ['metric."a \\"b\\"".max', 'a "b".max'],
  ["duration", "duration"],
])("fieldTitle(%s) is %s", (field, title) => {
  expect(fieldTitle(field)).toBe(title);
});

test("withoutFigure", () => {
  expect(withoutFigure("metric.val/loss.min")).toBe("metric.val/loss");
});

test("isDifferent compares values as Python does, and misses count", () => {
  expect(isDifferent(runsWith("f", [1, 1]), "f")).toBe(false);
  expect(isDifferent(runsWith("f", [1, "1"]), "f")).toBe(true);
  expect(isDifferent(runsWith("f", [[1], [1]]), "f")).toBe(false);
  expect(isDifferent(runsWith("f", [1, null]), "f")).toBe(true);
  expect(isDifferent(runsWith("f", [undefined, null]), "f")).toBe(false);
});

test("isInformative leaves out many words", () => {
  const words = Array.from({ length: 20 }, (_, index) => `w${index}`);
  expect(isInformative(runsWith("f", words), "f")).toBe(false);
  expect(isInformative(runsWith("f", words.slice(0, 3)), "f")).toBe(true);
  expect(
    isInformative(
      runsWith(
        "f",
        words.map((_, index) => index),
      ),
      "f",
    ),
  ).toBe(true);
  expect(isInformative(runsWith("f", [1, 1]), "f")).toBe(false);
});

describe("default fields", () => {
  test.each([
    [["metric.acc", "metric.train/loss", "metric.val/loss"], "metric.val/loss.min"],
    [["metric.acc", "metric.train/loss"], "metric.train/loss.min"],
    [["metric.acc"], "metric.acc.max"],
    [["metric.x"], "metric.x.last"],
    [[], "duration"],
  ])("target of %j", (metrics, target) => {
    expect(defaultTarget(metrics)).toBe(target);
  });

  const runs = [0, 1, 2].map((index) => ({
    id: index,
    name: "",
    state: "completed" as const,
    values: {
      "config.opt/lr": 10 ** -index,
      "config.depth": index % 2,
      "config.seed": index,
      "config.same": 1,
    },
  }));

  test("x of the scatter plot", () => {
    expect(defaultScatterX(runs, ["config.depth", "config.opt/lr"])).toBe("config.opt/lr");
    expect(defaultScatterX(runs, ["config.seed", "config.depth"])).toBe("config.depth");
    expect(defaultScatterX(runs, ["config.seed"])).toBe("config.seed");
    expect(defaultScatterX(runs, ["config.same"])).toBe("duration");
  });

  test("axes have seeds last and leave out what is the same", () => {
    const config = ["config.seed", "config.same", "config.depth", "config.opt/lr"];
    expect(defaultAxes(runs, config)).toEqual(["config.depth", "config.opt/lr", "config.seed"]);
  });
});

test("bestOf of no numbers is undefined", () => {
  expect(bestOf([], "less")).toBeUndefined();
});

test("bestOf tells large integers apart", () => {
  const numbers = [2n ** 60n, 3.5, 2n ** 60n + 1n, -(2n ** 60n)];
  expect(bestOf(numbers, "more")).toBe(2n ** 60n + 1n);
  expect(bestOf(numbers, "less")).toBe(-(2n ** 60n));
  expect(bestOf(numbers, undefined)).toBeUndefined();
});

describe("better", () => {
  test.each([
    ["metric.val/loss.min", "less"],
    ["metric.val/accuracy.max", "more"],
    ["metric.valAcc.last", "more"],
    ["metric.score_error.last", "less"],
    ["metric.loss_scale.last", undefined],
    ["metric.gpu_util.last", undefined],
  ])("%s by name is %j", (field, better) => {
    expect(betterByName(field)).toBe(better);
  });

  test("is turned by clicks and comes back", () => {
    const cycle = (field: string) => {
      let lines = ["less metric.other"];
      return Array.from({ length: 3 }, () => {
        lines = toggleBetter(field, lines);
        expect(lines).toContain("less metric.other");
        return betterOf(field, lines);
      });
    };
    expect(cycle("metric.loss.min")).toEqual(["more", "less", "more"]);
    expect(cycle("metric.gpu.last")).toEqual(["more", "less", undefined]);
    expect(toggleBetter("metric.loss.min", ["more metric.loss"])).toEqual([]);
  });
});

describe("batchFields", () => {
  test("keeps all fields in order within the limits", () => {
    const fields = Array.from(
      { length: 1000 },
      (_, index) => `config.${"x".repeat(index % 90)}${index}`,
    );
    const batches = batchFields(fields);
    expect(batches.flat()).toEqual(fields);
    for (const batch of batches) {
      expect(batch.length).toBeLessThanOrEqual(150);
      expect(batch.join(",").length).toBeLessThanOrEqual(6000);
    }
    expect(batches.length).toBeLessThan(15);
  });

  test("has one batch for no fields", () => {
    expect(batchFields([])).toEqual([[]]);
  });
});

test("the log scales of the scatter plot", () => {
  expect(isLogAxis("", "x")).toBeUndefined();
  const parameter = setLogAxis(setLogAxis("", "x", true), "y", false);
  expect(parameter).toBe("x,-y");
  expect([isLogAxis(parameter, "x"), isLogAxis(parameter, "y")]).toEqual([true, false]);
  expect(setLogAxis(parameter, "x", false)).toBe("-y,-x");
});
