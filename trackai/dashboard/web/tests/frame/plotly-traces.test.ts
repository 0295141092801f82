import { expect, test } from "vitest";
import { missingTraces } from "../../src/frame/plotly-traces";

test("each type of trace that is not there has a sentence", () => {
  const figure = {
    data: [{ type: "surface" }, {}, { type: "bar" }, { type: "surface" }, { type: "scattergl" }],
  };
  const notes = missingTraces(figure, ["scatter", "bar"]);
  expect(notes.map((note) => /"(.+)"/.exec(note)?.[1])).toEqual(["surface", "scattergl"]);
  expect(missingTraces({}, [])).toEqual([]);
});
