// Point clouds and scenes in JSON, as `trackai.Object3D` stores them.

import { categoryColor, PLAIN, type Rgb, type Solid, SolidBuilder, type Xyz } from "./solid";

interface Scene {
  points?: unknown[][];
  boxes?: { corners: unknown[][]; color?: unknown }[];
  vectors?: { start?: unknown[]; end?: unknown[]; color?: unknown }[];
}

const BOX_COLOR: Rgb = [213, 94, 0];
const VECTOR_COLOR: Rgb = [0, 158, 115];

export function parsePoints(text: string): Solid {
  const content = JSON.parse(text) as unknown[][] | Scene;
  const scene: Scene = Array.isArray(content) ? { points: content } : content;
  const builder = new SolidBuilder();
  for (const row of scene.points ?? []) builder.points.add([place(row)], colorOf(row));
  for (const { corners, color } of scene.boxes ?? []) {
    const places = corners.map(place);
    for (const edge of boxEdges(places)) {
      builder.lines.add(
        edge.map((corner) => places[corner] as Xyz),
        givenColor(color) ?? BOX_COLOR,
      );
    }
  }
  for (const { start, end, color } of scene.vectors ?? []) {
    const ends = [place(start ?? [0, 0, 0]), place(end ?? [])];
    builder.lines.add(ends, givenColor(color) ?? VECTOR_COLOR);
  }
  return builder.solid("z");
}

/** NaN and infinities are texts in JSON. */
const place = (row: unknown[]): Xyz =>
  [0, 1, 2].map((axis) => (typeof row[axis] === "number" ? row[axis] : NaN)) as Xyz;

function colorOf(row: unknown[]): Rgb {
  if (row.length === 4) return categoryColor(Number(row[3]));
  return row.length === 6 ? (row.slice(3).map(Number) as Rgb) : PLAIN;
}

/** Boxes have colours from 0 to 1, or as points from 0 to 255. */
function givenColor(color: unknown): Rgb | undefined {
  if (!Array.isArray(color) || color.length < 3) return undefined;
  const channels = color.slice(0, 3).map(Number);
  return channels.map((value) => (Math.max(...channels) <= 1 ? value * 255 : value)) as Rgb;
}

/** The edges of a box with its corners in any order, as pairs of their indices. */
export function boxEdges(corners: Xyz[]): [number, number][] {
  const order = cornerOrder(corners) ?? [0, 1, 2, 3, 4, 5, 6, 7];
  // In this order, corners that share an edge differ in one bit.
  const edges: [number, number][] = [];
  for (let corner = 0; corner < 8; corner++) {
    for (const bit of [1, 2, 4]) {
      if (!(corner & bit)) edges.push([order[corner] as number, order[corner | bit] as number]);
    }
  }
  return edges;
}

/** The corners so that number 1, 2 and 4 are neighbours of the first, and 3 is opposite. */
function cornerOrder(corners: Xyz[]): number[] | undefined {
  const [origin] = corners;
  if (!origin || corners.length !== 8) return undefined;
  const size = Math.max(...corners.map((corner) => distance(corner, origin)));
  const at = (offsets: number[]): number => {
    const target = origin.map((value, axis) =>
      offsets.reduce((sum, index) => {
        const corner = corners[index] as Xyz;
        return sum + (corner[axis] as number) - (origin[axis] as number);
      }, value),
    ) as Xyz;
    return corners.findIndex((corner) => distance(corner, target) < size * 1e-3);
  };
  for (let a = 1; a < 8; a++) {
    for (let b = a + 1; b < 8; b++) {
      for (let c = b + 1; c < 8; c++) {
        const order = [0, a, b, at([a, b]), c, at([a, c]), at([b, c]), at([a, b, c])];
        if (!order.includes(-1) && new Set(order).size === 8) return order;
      }
    }
  }
  return undefined;
}

const distance = (left: Xyz, right: Xyz): number =>
  Math.hypot(...left.map((value, axis) => value - (right[axis] as number)));
