// Models in the format glTF 2.0: its triangles, lines and points, without textures.

import { PLAIN, type Rgb, type Solid, SolidBuilder, type Xyz } from "./solid";

interface Accessor {
  bufferView?: number;
  byteOffset?: number;
  componentType: number;
  count: number;
  type: string;
  sparse?: unknown;
}

interface Primitive {
  attributes: Record<string, number>;
  indices?: number;
  material?: number;
  mode?: number;
}

interface Node {
  mesh?: number;
  children?: number[];
  matrix?: number[];
  translation?: number[];
  rotation?: number[];
  scale?: number[];
}

interface Gltf {
  accessors?: Accessor[];
  bufferViews?: { buffer: number; byteOffset?: number; byteStride?: number }[];
  buffers?: { uri?: string }[];
  extensionsRequired?: string[];
  materials?: { pbrMetallicRoughness?: { baseColorFactor?: number[] } }[];
  meshes?: { primitives: Primitive[] }[];
  nodes?: Node[];
  scene?: number;
  scenes?: { nodes?: number[] }[];
}

const GLB = 0x46546c67;
const HEADER = 12;
const SIZES: Record<string, number> = { SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4 };
// By component type: the bytes, the method that reads a number, and the largest value of integers.
const COMPONENTS: Record<number, [number, keyof DataView, number]> = {
  5120: [1, "getInt8", 127],
  5121: [1, "getUint8", 255],
  5122: [2, "getInt16", 32767],
  5123: [2, "getUint16", 65535],
  5125: [4, "getUint32", 4294967295],
  5126: [4, "getFloat32", 1],
};
const [POINTS, LINES, TRIANGLES, STRIP, FAN] = [0, 1, 4, 5, 6];

/** Read a file .glb or .gltf. */
export function parseGltf(bytes: ArrayBuffer): Solid {
  const { gltf, binary } = readContainer(bytes);
  if (gltf.extensionsRequired?.length) {
    throw new Error(`it needs ${gltf.extensionsRequired.join(", ")}, which is not supported`);
  }
  const buffers = (gltf.buffers ?? []).map(({ uri }) => (uri ? decodeUri(uri) : binary));
  const builder = new SolidBuilder();
  const visit = (index: number, parent: number[], depth: number) => {
    const node = gltf.nodes?.[index];
    if (!node || depth > 100) return;
    const matrix = multiply(parent, nodeMatrix(node));
    const mesh = node.mesh === undefined ? undefined : gltf.meshes?.[node.mesh];
    for (const primitive of mesh?.primitives ?? []) {
      addPrimitive(builder, gltf, buffers, primitive, matrix);
    }
    for (const child of node.children ?? []) visit(child, matrix, depth + 1);
  };
  const roots = gltf.scenes?.[gltf.scene ?? 0]?.nodes ?? gltf.nodes?.map((_, index) => index) ?? [];
  for (const root of roots) visit(root, IDENTITY, 0);
  return builder.solid("y");
}

function readContainer(bytes: ArrayBuffer): { gltf: Gltf; binary: DataView | undefined } {
  const view = new DataView(bytes);
  const decode = (start: number, length?: number) =>
    JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, start, length))) as Gltf;
  if (bytes.byteLength < HEADER || view.getUint32(0, true) !== GLB) {
    return { gltf: decode(0), binary: undefined };
  }
  const length = view.getUint32(HEADER, true);
  // Two chunks, each with its length and type.
  const start = HEADER + 8 + length + 8;
  const binary = start <= bytes.byteLength ? new DataView(bytes, start) : undefined;
  return { gltf: decode(HEADER + 8, length), binary };
}

function decodeUri(uri: string): DataView {
  if (!uri.startsWith("data:")) {
    throw new Error(`it needs the file ${uri}, which is not part of it: log a .glb file`);
  }
  const text = atob(uri.slice(uri.indexOf(",") + 1));
  return new DataView(Uint8Array.from(text, (character) => character.charCodeAt(0)).buffer);
}

type Buffers = (DataView | undefined)[];

/** The values of an accessor; integers that stand for numbers up to 1 are divided. */
function readAccessor(gltf: Gltf, buffers: Buffers, index: number, isShare = false): number[][] {
  const accessor = gltf.accessors?.[index];
  const view = gltf.bufferViews?.[accessor?.bufferView ?? -1];
  const buffer = buffers[view?.buffer ?? -1];
  if (!accessor || accessor.sparse || !view || !buffer) throw new Error("a part of it is missing");
  const [bytes, method, largest] = COMPONENTS[accessor.componentType] ?? [4, "getFloat32", 1];
  const size = SIZES[accessor.type] ?? 1;
  const stride = view.byteStride ?? bytes * size;
  const start = (view.byteOffset ?? 0) + (accessor.byteOffset ?? 0);
  const read = (at: number) =>
    (buffer[method] as (at: number, isLittle: boolean) => number).call(buffer, at, true);
  return Array.from({ length: accessor.count }, (_, row) =>
    Array.from(
      { length: size },
      (_, item) => read(start + row * stride + item * bytes) / (isShare ? largest : 1),
    ),
  );
}

function addPrimitive(
  builder: SolidBuilder,
  gltf: Gltf,
  buffers: Buffers,
  { attributes, indices, material, mode = TRIANGLES }: Primitive,
  matrix: number[],
): void {
  if (attributes.POSITION === undefined) return;
  const places = readAccessor(gltf, buffers, attributes.POSITION).map((place) =>
    transform(matrix, place as Xyz),
  );
  const base = gltf.materials?.[material ?? -1]?.pbrMetallicRoughness?.baseColorFactor;
  const plain = base ? toRgb(base) : PLAIN;
  const { COLOR_0 } = attributes;
  const colors = COLOR_0 === undefined ? undefined : readAccessor(gltf, buffers, COLOR_0, true);
  const colorAt = (corner: number) => (colors?.[corner] ? toRgb(colors[corner]) : plain);
  const corners =
    indices === undefined
      ? places.map((_, index) => index)
      : readAccessor(gltf, buffers, indices).map(([index]) => index as number);
  const missing: Xyz = [NaN, NaN, NaN];
  for (const group of groupsOf(corners, mode)) {
    const shape = [builder.points, builder.lines, builder.triangles][group.length - 1];
    shape?.add(
      group.map((corner) => places[corner] ?? missing),
      group.map(colorAt),
    );
  }
}

/** The corners of each point, line or triangle. */
function groupsOf(corners: number[], mode: number): number[][] {
  const at = (index: number) => corners[index] as number;
  if (mode === STRIP || mode === FAN) {
    return corners
      .slice(2)
      .map((corner, index) => [at(mode === FAN ? 0 : index), at(index + 1), corner]);
  }
  const size = { [POINTS]: 1, [LINES]: 2, [TRIANGLES]: 3 }[mode];
  if (!size) throw new Error(`it has primitives of the mode ${mode}, which is not supported`);
  return Array.from({ length: Math.floor(corners.length / size) }, (_, index) =>
    corners.slice(index * size, (index + 1) * size),
  );
}

const toRgb = (shares: number[]): Rgb => shares.slice(0, 3).map((share) => share * 255) as Rgb;

// Matrices of 16 numbers, column by column.
const IDENTITY = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];

function nodeMatrix({ matrix, translation, rotation, scale }: Node): number[] {
  if (matrix) return matrix;
  const [x = 0, y = 0, z = 0, w = 1] = rotation ?? [];
  const [sx = 1, sy = 1, sz = 1] = scale ?? [];
  const [tx = 0, ty = 0, tz = 0] = translation ?? [];
  return [
    ...[1 - 2 * (y * y + z * z), 2 * (x * y + z * w), 2 * (x * z - y * w)].map((n) => n * sx),
    0,
    ...[2 * (x * y - z * w), 1 - 2 * (x * x + z * z), 2 * (y * z + x * w)].map((n) => n * sy),
    0,
    ...[2 * (x * z + y * w), 2 * (y * z - x * w), 1 - 2 * (x * x + y * y)].map((n) => n * sz),
    0,
    tx,
    ty,
    tz,
    1,
  ];
}

function multiply(left: number[], right: number[]): number[] {
  return Array.from({ length: 16 }, (_, index) => {
    const [row, column] = [index % 4, Math.floor(index / 4)];
    return [0, 1, 2, 3].reduce(
      (sum, at) => sum + (left[at * 4 + row] ?? 0) * (right[column * 4 + at] ?? 0),
      0,
    );
  });
}

const transform = (matrix: number[], [x, y, z]: Xyz): Xyz =>
  [0, 1, 2].map(
    (row) =>
      (matrix[row] ?? 0) * x +
      (matrix[4 + row] ?? 0) * y +
      (matrix[8 + row] ?? 0) * z +
      (matrix[12 + row] ?? 0),
  ) as Xyz;
