// Models in the formats OBJ and STL.

import { PLAIN, type Rgb, type Solid, SolidBuilder, type Xyz } from "./solid";

/** Corners, faces and lines of an OBJ file; a file without faces is a point cloud. */
export function parseObj(text: string): Solid {
  const places: Xyz[] = [];
  const colors: Rgb[] = [];
  const builder = new SolidBuilder();
  let hasFaces = false;
  for (const line of text.split("\n")) {
    const [type, ...words] = line.trim().split(/\s+/);
    if (type === "v") {
      const numbers = words.map(Number);
      places.push(numbers.slice(0, 3) as Xyz);
      const color = numbers.slice(-3).map((value) => value * 255);
      colors.push(numbers.length >= 6 ? (color as Rgb) : PLAIN);
    } else if (type === "f") {
      hasFaces = true;
      const corners = words.map((word) => indexOf(word, places.length));
      addFace(builder, places, colors, corners);
    }
  }
  if (!hasFaces) {
    places.forEach((place, index) => {
      builder.points.add([place], colors[index] as Rgb);
    });
  }
  return builder.solid("y");
}

/** The index of a corner; it counts from 1, or if it is negative, back from the last corner. */
function indexOf(word: string, corners: number): number {
  const number = parseInt(word, 10);
  return number < 0 ? corners + number : number - 1;
}

/** Add a polygon as triangles around its first corner. */
export function addFace(
  builder: SolidBuilder,
  places: Xyz[],
  colors: Rgb[],
  corners: number[],
): void {
  for (let index = 2; index < corners.length; index++) {
    const triangle = [corners[0], corners[index - 1], corners[index]] as number[];
    const missing: Xyz = [NaN, NaN, NaN];
    builder.triangles.add(
      triangle.map((corner) => places[corner] ?? missing),
      triangle.map((corner) => colors[corner] ?? PLAIN),
    );
  }
}

const HEADER = 84;
const TRIANGLE = 50;

export function parseStl(bytes: ArrayBuffer): Solid {
  const view = new DataView(bytes);
  const count = bytes.byteLength >= HEADER ? view.getUint32(80, true) : -1;
  const builder = new SolidBuilder();
  // Binary files may begin like texts, but only they have this length.
  if (bytes.byteLength !== HEADER + count * TRIANGLE) {
    const corners = new TextDecoder().decode(bytes).matchAll(/vertex\s+(\S+)\s+(\S+)\s+(\S+)/g);
    const places = [...corners].map(([, ...words]) => words.map(Number) as Xyz);
    for (let index = 0; index + 2 < places.length; index += 3) {
      builder.triangles.add(places.slice(index, index + 3), PLAIN);
    }
    return builder.solid("z");
  }
  for (let triangle = 0; triangle < count; triangle++) {
    // A normal comes before the corners.
    const start = HEADER + triangle * TRIANGLE + 12;
    const corner = (index: number): Xyz =>
      [0, 4, 8].map((at) => view.getFloat32(start + index * 12 + at, true)) as Xyz;
    builder.triangles.add([corner(0), corner(1), corner(2)], PLAIN);
  }
  return builder.solid("z");
}
