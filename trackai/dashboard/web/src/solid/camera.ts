// The view of a solid: how it is turned, and how near it is.

import type { Bounds, Solid } from "./solid";

export interface Camera {
  /** Angles in radians: around the axis that points up, and above the horizon. */
  yaw: number;
  pitch: number;
  /** 1 shows the whole solid. */
  zoom: number;
}

export const START: Camera = { yaw: 0.6, pitch: 0.4, zoom: 1 };

const [MIN_ZOOM, MAX_ZOOM] = [0.2, 50];
const MAX_PITCH = Math.PI / 2;
const [NEAR_FACTOR, DISTANCE] = [0.9, 3];

export const turned = (camera: Camera, yaw: number, pitch: number): Camera => ({
  ...camera,
  yaw: camera.yaw + yaw,
  pitch: Math.min(MAX_PITCH, Math.max(-MAX_PITCH, camera.pitch + pitch)),
});

export const zoomed = (camera: Camera, factor: number): Camera => ({
  ...camera,
  zoom: Math.min(MAX_ZOOM, Math.max(MIN_ZOOM, camera.zoom * factor)),
});

const KEY_TURN = 0.15;
const KEY_ZOOM = 1.2;

/** The camera after a key; undefined for other keys. */
export function afterKey(camera: Camera, key: string): Camera | undefined {
  const turns: Record<string, [number, number]> = {
    ArrowLeft: [-KEY_TURN, 0],
    ArrowRight: [KEY_TURN, 0],
    ArrowUp: [0, KEY_TURN],
    ArrowDown: [0, -KEY_TURN],
  };
  const turn = turns[key];
  if (turn) return turned(camera, ...turn);
  if (key === "+" || key === "=") return zoomed(camera, KEY_ZOOM);
  if (key === "-") return zoomed(camera, 1 / KEY_ZOOM);
  return key === "0" ? START : undefined;
}

/** From places of a solid to the screen: 16 numbers, column by column. */
export function projection(
  { yaw, pitch, zoom }: Camera,
  { center, radius }: Bounds,
  up: Solid["up"],
  aspect: number,
): Float32Array {
  const [siny, cosy, sinp, cosp] = [Math.sin(yaw), Math.cos(yaw), Math.sin(pitch), Math.cos(pitch)];
  // The directions to the right, up and to the viewer, for solids with y up.
  const right = [cosy, 0, -siny];
  const above = [-siny * sinp, cosp, -cosy * sinp];
  const toward = [siny * cosp, sinp, cosy * cosp];
  // With z up, x stays, and y points away from the viewer.
  const oriented = ([x, y, z]: number[]) =>
    (up === "z" ? [x, -(z as number), y] : [x, y, z]) as number[];
  const rows = [right, above, toward].map((row) => oriented(row).map((value) => value / radius));
  const shift = rows.map((row) =>
    row.reduce((sum, value, axis) => sum - value * (center[axis] as number), 0),
  );
  const scale = NEAR_FACTOR * zoom * DISTANCE;
  const [fx, fy] = aspect > 1 ? [scale / aspect, scale] : [scale, scale * aspect];
  // Perspective: w is the distance from the viewer; depths from -1 to 1 of the unit sphere fit.
  const column = (axis: number) => {
    const [x = 0, y = 0, z = 0] = rows.map((row) => row[axis] as number);
    return [x * fx, y * fy, -z, -z];
  };
  const [x = 0, y = 0, z = 0] = shift;
  return new Float32Array([
    ...column(0),
    ...column(1),
    ...column(2),
    ...[x * fx, y * fy, -z, -z + DISTANCE],
  ]);
}
