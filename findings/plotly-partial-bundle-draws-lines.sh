#!/usr/bin/env bash
# A partial bundle of Plotly draws a trace of a type that it does not have as another chart.
#
# Guess: newPlot rejects, or leaves the trace out with a warning on the console.
# Seen with plotly.js-cartesian-dist-min 4.1.1 in jsdom 26.1.0: the trace becomes one of the type
# "scatter". A line in three dimensions is drawn as a line of its x and y values, a surface not at
# all, the promise is fulfilled, and nothing is written to the console.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund plotly.js-cartesian-dist-min@4.1.1 jsdom@26.1.0
[[ $(node -p 'require("plotly.js-cartesian-dist-min/package.json").version') == 4.1.1 ]]
cat >check.js <<'NODE'
const assert = require("node:assert");
const { readFileSync } = require("node:fs");
const { JSDOM, VirtualConsole } = require("jsdom");

const messages = [];
const virtualConsole = new VirtualConsole();
for (const level of ["error", "warn", "info", "log"]) {
  virtualConsole.on(level, (...texts) => messages.push([level, ...texts]));
}
const { window } = new JSDOM('<div id="figure"></div>', {
  pretendToBeVisual: true,
  runScripts: "outside-only",
  virtualConsole,
});
// What jsdom lacks.
window.URL.createObjectURL = () => "";
window.HTMLCanvasElement.prototype.getContext = () => null;
window.SVGElement.prototype.getBBox = () => ({ x: 0, y: 0, width: 10, height: 10 });
window.eval(readFileSync(require.resolve("plotly.js-cartesian-dist-min"), "utf8"));

const box = window.document.getElementById("figure");
const traces = [
  { type: "scatter3d", mode: "lines", x: [1, 2], y: [3, 4], z: [5, 6] },
  { type: "surface", z: [[1, 2], [3, 4]] },
];
window.Plotly.newPlot(box, traces, { width: 400, height: 300 }).then(() => {
  const drawn = box._fullData.map(({ type, visible }) => [type, visible]);
  console.log("drawn:", drawn, "lines:", box.querySelectorAll("path.js-line").length);
  console.log("messages:", messages);
  assert.deepEqual(drawn, [["scatter", true], ["scatter", false]]);
  assert.equal(box.querySelectorAll("path.js-line").length, 1);
  assert.deepEqual(messages, []);
  process.exit(0);
});
NODE
node check.js
