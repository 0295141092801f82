#!/usr/bin/env bash
# A line of Vega-Lite on a logarithmic axis with one 0 is flat, at the upper edge, without labels.
#
# Guess: the zero is left out, or is a gap as on log axes of Plotly, and the rest is drawn.
# Seen with vega 6.4.0 and vega-lite 6.4.3 in Node: for the losses 1, 0.1 and 0 the domain begins at 0,
# and every point on the axis gets the height of the maximum: the line looks like a loss that never
# changes. The axis has no labels. A negative value has the same effect. Only Vega's logger warns,
# and a View without one logs errors only. null is a gap.
# Filter values above 0 in the spec, or use the type "symlog". Charts of Altair and of DVC are specs
# of Vega-Lite.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund vega@6.4.0 vega-lite@6.4.3
[[ $(node -p 'JSON.parse(fs.readFileSync("node_modules/vega/package.json")).version') == 6.4.0 ]]
cat >check.mjs <<'NODE'
import assert from "node:assert";
import { logger, parse, View, Warn } from "vega";
import { compile } from "vega-lite";

/** Draw a line; return the heights of its points, the labels of its axis, and the warnings. */
async function draw(losses, type = "log", transform = []) {
  const warnings = [];
  const log = logger(Warn, "log", (_method, _level, args) => warnings.push(args.join(" ")));
  const spec = {
    data: { values: losses.map((loss, step) => ({ step, loss })) },
    transform,
    mark: "line",
    width: 200,
    height: 100,
    encoding: {
      x: { field: "step", type: "ordinal", axis: null },
      y: { field: "loss", type: "quantitative", scale: { type } },
    },
  };
  const view = new View(parse(compile(spec, { logger: log }).spec), { logger: log });
  const svg = await (await view.runAsync()).toSVG();
  const [, path] = svg.match(/aria-roledescription="line mark" d="([^"]*)"/);
  const heights = [...path.matchAll(/,(-?[\d.]+)/g)].map((match) => Number(match[1]));
  const labels = [...svg.matchAll(/>(-?[\d.]+)<\/text>/g)].map((match) => match[1]);
  return { heights, labels, warnings };
}

const positive = await draw([1, 0.1, 0.01]);
console.log("1, 0.1, 0.01:", positive);
assert.deepEqual(positive.heights, [0, 50, 100]);
assert(positive.labels.includes("0.1"));
assert.deepEqual((await draw([1, null, 0.01])).heights, [0, 100]);

for (const last of [0, -1]) {
  const flat = await draw([1, 0.1, last]);
  console.log(`1, 0.1, ${last}:`, flat);
  assert.deepEqual(flat.heights, [0, 0, 0]);
  assert.deepEqual(flat.labels, []);
  assert.match(flat.warnings.join(), /Log scale domain includes zero/);
}

assert.deepEqual((await draw([1, 0.1, 0], "log", [{ filter: "datum.loss > 0" }])).heights, [0, 100]);
assert.equal(new Set((await draw([1, 0.1, 0], "symlog")).heights).size, 3);
NODE
node check.mjs
