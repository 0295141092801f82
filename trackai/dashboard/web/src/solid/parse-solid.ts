// 3D files by their names.

import { parseGltf } from "./parse-gltf";
import { parseObj, parseStl } from "./parse-obj";
import { parsePly, parseSplat } from "./parse-ply";
import { parsePoints } from "./parse-points";
import type { Solid } from "./solid";

const asText =
  (parse: (text: string) => Solid) =>
  (bytes: ArrayBuffer): Solid =>
    parse(new TextDecoder().decode(bytes));

const PARSERS: [RegExp, (bytes: ArrayBuffer) => Solid][] = [
  [/\.pts\.json$/i, asText(parsePoints)],
  [/\.obj$/i, asText(parseObj)],
  [/\.stl$/i, parseStl],
  [/\.ply$/i, parsePly],
  [/\.(glb|gltf)$/i, parseGltf],
  [/\.splat$/i, parseSplat],
];

/** Read a file with points or a model; throws an error that says what is wrong with it. */
export function parseSolid(name: string, bytes: ArrayBuffer): Solid {
  const parse = PARSERS.find(([pattern]) => pattern.test(name))?.[1];
  if (!parse) throw new Error(`files ${name.slice(name.lastIndexOf("."))} are not drawn here`);
  return parse(bytes);
}
