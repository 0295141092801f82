// What a 3D file consists of, ready to be drawn.

/** Places of three coordinates each, and a colour of three bytes for each place. */
export interface Shape {
  positions: Float32Array;
  colors: Uint8Array;
}

export interface Solid {
  points: Shape;
  /** Two places for each line. */
  lines: Shape;
  /** Three places for each triangle. */
  triangles: Shape;
  /** The axis that points up. */
  up: "y" | "z";
  /** The number of points and corners without finite coordinates, which are not drawn. */
  leftOut: number;
}

export type Rgb = [number, number, number];
export type Xyz = [number, number, number];

export const PLAIN: Rgb = [110, 150, 200];
// Categories: Okabe and Ito's palette, which is visible on a light and on a dark page.
const CATEGORIES: Rgb[] = [
  [0, 114, 178],
  [213, 94, 0],
  [0, 158, 115],
  [204, 121, 167],
  [150, 120, 0],
  [63, 167, 220],
  [140, 90, 180],
  [128, 128, 128],
];

export const categoryColor = (category: number): Rgb =>
  CATEGORIES[Math.abs(Math.trunc(category)) % CATEGORIES.length] as Rgb;

/** A shape to which places are added. */
export class ShapeBuilder {
  leftOut = 0;
  private readonly positions: number[] = [];
  private readonly colors: number[] = [];

  /** Add places that belong together; none of them if one is not finite. */
  add(places: Xyz[], color: Rgb | Rgb[]): void {
    if (!places.every((place) => place.every(Number.isFinite))) {
      this.leftOut += 1;
      return;
    }
    places.forEach((place, index) => {
      this.positions.push(...place);
      this.colors.push(...((Array.isArray(color[0]) ? color[index] : color) as Rgb));
    });
  }

  shape(): Shape {
    return {
      positions: new Float32Array(this.positions),
      colors: new Uint8Array(this.colors.map((value) => Math.min(255, Math.max(0, value)))),
    };
  }
}

export class SolidBuilder {
  readonly points = new ShapeBuilder();
  readonly lines = new ShapeBuilder();
  readonly triangles = new ShapeBuilder();

  solid(up: Solid["up"]): Solid {
    const { points, lines, triangles } = this;
    return {
      points: points.shape(),
      lines: lines.shape(),
      triangles: triangles.shape(),
      up,
      leftOut: points.leftOut + lines.leftOut + triangles.leftOut,
    };
  }
}

export interface Bounds {
  /** The lengths of the sides of the smallest box around it. */
  sides: Xyz;
  /** The centre of this box, and the distance of the furthest place from it. */
  center: Xyz;
  radius: number;
}

/** The size of a solid; undefined if nothing is in it. */
export function boundsOf({ points, lines, triangles }: Solid): Bounds | undefined {
  const low: Xyz = [Infinity, Infinity, Infinity];
  const high: Xyz = [-Infinity, -Infinity, -Infinity];
  const all = [points, lines, triangles].map(({ positions }) => positions);
  for (const positions of all) {
    positions.forEach((value, index) => {
      const axis = index % 3;
      if (value < (low[axis] as number)) low[axis] = value;
      if (value > (high[axis] as number)) high[axis] = value;
    });
  }
  if (low[0] > high[0]) return undefined;
  const sides = low.map((value, axis) => (high[axis] as number) - value) as Xyz;
  const center = low.map((value, axis) => value + (sides[axis] as number) / 2) as Xyz;
  const [x, y, z] = center;
  let square = 0;
  for (const positions of all) {
    for (let at = 0; at < positions.length; at += 3) {
      const [px = 0, py = 0, pz = 0] = [positions[at], positions[at + 1], positions[at + 2]];
      square = Math.max(square, (px - x) ** 2 + (py - y) ** 2 + (pz - z) ** 2);
    }
  }
  return { sides, center, radius: Math.sqrt(square) || 1 };
}
