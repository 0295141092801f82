import { describe, expect, test } from "vitest";
import { areaUnder, readChart } from "../../src/plots/chart-table";
import { accuracy, cellShare } from "../../src/plots/matrix-plot";

const table = (kind: string, columns: string[], data: unknown[][], fields: object) => ({
  columns,
  data,
  chart: { kind, fields, texts: { title: "T", x: "the x" } },
});

describe("readChart", () => {
  test("lines by name, without cells that are not finite numbers", () => {
    const data = [
      ["cat", 0, 0],
      ["dog", 0, 0.5],
      ["cat", 1, 1],
      ["cat", "NaN", 1],
      ["cat", 2, null],
    ];
    const fields = { x: "fpr", y: "tpr", line: "class" };
    const chart = readChart(table("roc_curve", ["class", "fpr", "tpr"], data, fields));
    expect(chart).toEqual({
      kind: "curves",
      isLine: true,
      rates: "roc",
      title: "T",
      x: "the x",
      y: "tpr",
      leftOut: 2,
      curves: [
        {
          name: "cat",
          points: [
            [0, 0],
            [1, 1],
          ],
        },
        { name: "dog", points: [[0, 0.5]] },
      ],
    });
  });

  test("wandb's names of kinds and roles", () => {
    const columns = ["step", "lineKey", "lineVal"];
    const fields = { step: "step", lineKey: "lineKey", lineVal: "lineVal" };
    const chart = readChart(table("wandb/lineseries/v0", columns, [[1, "a", 2]], fields));
    expect(chart).toMatchObject({ curves: [{ name: "a", points: [[1, 2]] }] });
    const matrix = readChart(
      table("wandb/confusion_matrix/v1", ["Actual", "Predicted", "nPredictions"], [["a", "b", 3]], {
        Actual: "Actual",
        Predicted: "Predicted",
        nPredictions: "nPredictions",
      }),
    );
    expect(matrix).toMatchObject({
      labels: ["a", "b"],
      counts: [
        [0, 3],
        [0, 0],
      ],
    });
  });

  test("a line is drawn in the order of x, a series in that of its rows", () => {
    const data = [
      [2, 1],
      [1, 5],
    ];
    const points = (kind: string) => {
      const chart = readChart(table(kind, ["a", "b"], data, { x: "a", y: "b" }));
      return chart?.kind === "curves" ? chart.curves[0]?.points.map(([x]) => x) : undefined;
    };
    expect(points("line")).toEqual([1, 2]);
    expect(points("line_series")).toEqual([2, 1]);
  });

  test("a histogram counts the values of a column", () => {
    const data = [[0], [0], [20], ["x"]];
    const chart = readChart(table("histogram", ["v"], data, { value: "v" }));
    expect(chart).toMatchObject({ kind: "bars", y: "count", leftOut: 1 });
    const bars = chart?.kind === "bars" ? chart.bars : [];
    expect(bars.map(({ value }) => value).filter(Boolean)).toEqual([2, 1]);
    expect(bars[0]?.label).toBe("0 to 1");
  });

  test("nothing for unknown kinds, missing columns and plain tables", () => {
    expect(readChart(table("own/v1", ["a"], [[1]], { x: "a" }))).toBeUndefined();
    expect(readChart(table("line", ["a"], [[1]], { x: "a", y: "b" }))).toBeUndefined();
    expect(readChart({ columns: [], data: [] })).toBeUndefined();
  });
});

test("the area under a curve", () => {
  expect(
    areaUnder([
      [0, 0],
      [0, 1],
      [1, 1],
    ]),
  ).toBe(1);
  expect(
    areaUnder([
      [1, 1],
      [0, 0],
    ]),
  ).toBe(0.5);
});

test("shares of a matrix, and none without samples", () => {
  const matrix = (counts: number[][]) => ({
    kind: "matrix" as const,
    title: "",
    labels: [],
    counts,
  });
  expect(
    accuracy(
      matrix([
        [3, 1],
        [0, 4],
      ]),
    ),
  ).toBe(7 / 8);
  expect(accuracy(matrix([[0]]))).toBeUndefined();
  expect(cellShare([3, 1], 1)).toBe(0.25);
  expect(cellShare([0, 0], 0)).toBeUndefined();
});
