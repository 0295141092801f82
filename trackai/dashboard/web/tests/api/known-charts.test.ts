import { expect, test } from "vitest";
import { KnownCharts } from "../../src/api/known-charts";

const sent = (data: unknown[], more: object = {}) => ({ data, raw: false, x: "step", ...more });

test("completes charts with the buckets that are known", () => {
  const known = new KnownCharts();
  expect(known.versions("loss", [1, 2])).toEqual({});
  const first = known.complete(1, "loss", sent([{ step: 0 }, { step: 1 }], { version: "2.a" }));
  expect(first).toEqual(sent([{ step: 0 }, { step: 1 }]));
  expect(known.versions("loss", [1, 2])).toEqual({ 1: { loss: "2.a" } });
  const second = sent([{ step: 2 }], { kept: 1, version: "2.b" });
  expect(known.complete(1, "loss", second)).toEqual(sent([{ step: 0 }, { step: 2 }]));
  const unchanged = sent([], { kept: 2, version: "2.b" });
  expect(known.complete(1, "loss", unchanged)).toEqual(sent([{ step: 0 }, { step: 2 }]));
  const other = sent([{ step: 7 }], { version: "1.c" });
  expect(known.complete(1, "loss", other)).toEqual(sent([{ step: 7 }]));
});

test("keeps charts of other runs and metrics apart", () => {
  const known = new KnownCharts();
  known.complete(1, "loss", sent([{ step: 0 }], { version: "1.a" }));
  known.complete(1, "acc", sent([{ step: 1 }], { version: "1.b" }));
  known.complete(2, "loss", sent([{ step: 2 }], { version: "1.c" }));
  expect(known.versions("acc", [2, 1])).toEqual({ 1: { acc: "1.b" } });
  const same = known.complete(2, "loss", sent([], { kept: 1, version: "1.c" }));
  expect(same.data).toEqual([{ step: 2 }]);
});

test("places smoothed values, which are not among the known buckets", () => {
  const known = new KnownCharts();
  const first = sent([{ step: 0 }, { step: 1 }], { version: "2.a", smoothed: [0.5, null] });
  expect(known.complete(1, "loss", first).data).toEqual([
    { step: 0, smoothed: 0.5 },
    { step: 1, smoothed: null },
  ]);
  const second = sent([{ step: 2 }], { version: "3.b", kept: 2, smoothed: [0.1, 0.2, 0.3] });
  expect(known.complete(1, "loss", second).data).toEqual([
    { step: 0, smoothed: 0.1 },
    { step: 1, smoothed: 0.2 },
    { step: 2, smoothed: 0.3 },
  ]);
  const plain = sent([], { version: "3.b", kept: 3 });
  expect(known.complete(1, "loss", plain).data).toEqual([{ step: 0 }, { step: 1 }, { step: 2 }]);
});

test("leaves charts without a version as they are", () => {
  const chart = sent([{ step: 0 }]);
  expect(new KnownCharts().complete(1, "loss", chart)).toBe(chart);
});
