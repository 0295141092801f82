import { describe, expect, test } from "vitest";
import { afterKey, projection, START } from "../../src/solid/camera";
import { boxEdges } from "../../src/solid/parse-points";
import { parseSolid } from "../../src/solid/parse-solid";
import { boundsOf, type Xyz } from "../../src/solid/solid";

const bytesOf = (text: string): ArrayBuffer => new TextEncoder().encode(text).buffer as ArrayBuffer;
const parseText = (name: string, text: string) => parseSolid(name, bytesOf(text));
const triangle = [0, 0, 0, 1, 0, 0, 0, 1, 0];

/** A file made of numbers of given types. */
function pack(...parts: ["f" | "i" | "b", number[]][]): ArrayBuffer {
  const sizes = { f: 4, i: 4, b: 1 };
  const length = parts.reduce((sum, [type, values]) => sum + sizes[type] * values.length, 0);
  const view = new DataView(new ArrayBuffer(length));
  let at = 0;
  for (const [type, values] of parts) {
    for (const value of values) {
      if (type === "f") view.setFloat32(at, value, true);
      else if (type === "i") view.setUint32(at, value, true);
      else view.setUint8(at, value);
      at += sizes[type];
    }
  }
  return view.buffer;
}

const join = (...parts: ArrayBuffer[]): ArrayBuffer => {
  const all = parts.flatMap((part) => [...new Uint8Array(part)]);
  return new Uint8Array(all).buffer;
};

describe("points", () => {
  test("plain, with colours, and without those that are not finite", () => {
    const plain = parseText("a.pts.json", '[[0, 1, 2], [3, 4, "NaN"]]');
    expect([...plain.points.positions]).toEqual([0, 1, 2]);
    expect(plain.leftOut).toBe(1);
    const colored = parseText("a.pts.json", "[[0, 1, 2, 255, 300, 0]]");
    expect([...colored.points.colors]).toEqual([255, 255, 0]);
    const [first, second] = ["[[0, 0, 0, 1]]", "[[0, 0, 0, 2]]"].map((text) =>
      parseText("a.pts.json", text).points.colors.join(),
    );
    expect(first).not.toBe(second);
  });

  test("boxes and vectors of a scene", () => {
    const corners = [0, 1].flatMap((x) => [0, 1].flatMap((y) => [0, 1].map((z) => [x, y, z])));
    const scene = {
      type: "lidar/beta",
      points: [],
      boxes: [{ corners, color: [1, 0, 0] }],
      vectors: [{ start: [0, 0, 0], end: [1, 1, 1] }],
    };
    const { lines } = parseText("a.pts.json", JSON.stringify(scene));
    expect(lines.positions.length).toBe((12 + 1) * 6);
    expect([...lines.colors.slice(0, 3)]).toEqual([255, 0, 0]);
  });

  test("the edges of a box follow from its corners in any order", () => {
    const corners: Xyz[] = [
      [0, 0, 0],
      [0, 1, 0],
      [0, 0, 2],
      [3, 0, 0],
      [3, 1, 0],
      [0, 1, 2],
      [3, 0, 2],
      [3, 1, 2],
    ];
    const edges = boxEdges(corners);
    expect(edges).toHaveLength(12);
    for (const [from, to] of edges) {
      const [start, end] = [corners[from] as Xyz, corners[to] as Xyz];
      expect(start.filter((value, axis) => value !== end[axis])).toHaveLength(1);
    }
  });
});

describe("models", () => {
  test("OBJ with polygons, indices from the end, and without faces", () => {
    const corners = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n";
    expect(parseText("a.obj", `${corners}f 1/1 2/2 3/3 4/4`).triangles.positions).toHaveLength(18);
    expect([...parseText("a.OBJ", `${corners}f -4 -3 -1`).triangles.positions]).toEqual(triangle);
    expect(parseText("a.obj", corners).points.positions).toHaveLength(12);
    expect(parseText("a.obj", `${corners}f 1 2 9`)).toMatchObject({ leftOut: 1 });
  });

  test("STL as text and as bytes", () => {
    const text = "solid\nfacet\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1e0 0\nendfacet";
    expect([...parseText("a.stl", text).triangles.positions]).toEqual(triangle);
    const header = [..."solid".padEnd(80)].map((character) => character.charCodeAt(0));
    const bytes = pack(["b", header], ["i", [1]], ["f", [0, 0, 1, ...triangle]], ["b", [0, 0]]);
    expect([...parseSolid("a.stl", bytes).triangles.positions]).toEqual(triangle);
  });

  test("PLY as text and as bytes", () => {
    const header = (format: string) =>
      `ply\nformat ${format} 1.0\ncomment x\nelement vertex 3\nproperty float x\n` +
      "property float y\nproperty float z\nproperty uchar red\nproperty uchar green\n" +
      "property uchar blue\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n";
    const text = `${header("ascii")}0 0 0 9 8 7\n1 0 0 9 8 7\n0 1 0 9 8 7\n3 0 1 2\n`;
    const fromText = parseText("a.ply", text);
    expect([...fromText.triangles.positions]).toEqual(triangle);
    expect([...fromText.triangles.colors.slice(0, 3)]).toEqual([9, 8, 7]);
    const rows = [0, 3, 6].map((at) => pack(["f", triangle.slice(at, at + 3)], ["b", [9, 8, 7]]));
    const head = bytesOf(header("binary_little_endian"));
    const bytes = join(head, ...rows, pack(["b", [3]], ["i", [0, 1, 2]]));
    expect(parseSolid("a.ply", bytes)).toEqual(fromText);
    expect(() => parseSolid("a.ply", bytes.slice(0, -2))).toThrow("ends early");
    expect(() => parseText("a.ply", "no")).toThrow("not a PLY file");
  });

  test("glTF with a node that moves its mesh, and as GLB", () => {
    const binary = pack(["f", triangle]);
    const base64 = btoa(String.fromCharCode(...new Uint8Array(binary)));
    const gltf = (buffer: object) => ({
      scene: 0,
      scenes: [{ nodes: [0] }],
      nodes: [
        { children: [1], scale: [2, 2, 2] },
        { mesh: 0, translation: [1, 0, 0] },
      ],
      meshes: [{ primitives: [{ attributes: { POSITION: 0 }, material: 0 }] }],
      materials: [{ pbrMetallicRoughness: { baseColorFactor: [1, 0, 0, 1] } }],
      accessors: [{ bufferView: 0, componentType: 5126, count: 3, type: "VEC3" }],
      bufferViews: [{ buffer: 0 }],
      buffers: [buffer],
    });
    const uri = `data:application/octet-stream;base64,${base64}`;
    const { triangles } = parseText("a.gltf", JSON.stringify(gltf({ uri })));
    expect([...triangles.positions]).toEqual([2, 0, 0, 4, 0, 0, 2, 2, 0]);
    expect([...triangles.colors.slice(0, 3)]).toEqual([255, 0, 0]);
    const json = JSON.stringify(gltf({})).padEnd(1000);
    const glb = join(
      pack(["i", [0x46546c67, 2, 0, 1000, 0x4e4f534a]]),
      bytesOf(json),
      pack(["i", [36, 0x004e4942]]),
      binary,
    );
    expect(parseSolid("a.glb", glb).triangles).toEqual(triangles);
    expect(() => parseText("a.gltf", JSON.stringify(gltf({ uri: "a.bin" })))).toThrow("a.bin");
    const compressed = { extensionsRequired: ["KHR_draco_mesh_compression"] };
    expect(() => parseText("a.gltf", JSON.stringify(compressed))).toThrow("KHR_draco");
  });

  test("the centres of splats, and files that are not drawn", () => {
    const splat = pack(["f", [1, 2, 3, 0, 0, 0]], ["b", [10, 20, 30, 255, 0, 0, 0, 0]]);
    const { points } = parseSolid("a.splat", splat);
    expect([[...points.positions], [...points.colors]]).toEqual([
      [1, 2, 3],
      [10, 20, 30],
    ]);
    expect(() => parseText("a.babylon", "{}")).toThrow(".babylon are not drawn");
  });
});

describe("the view", () => {
  test("shows all of a solid from every side", () => {
    const solid = parseText("a.pts.json", "[[-5, 0, 0], [5, 0, 0], [0, 3, 0], [0, 0, 100]]");
    const bounds = boundsOf(solid);
    if (!bounds) throw new Error("no bounds");
    let camera = START;
    for (const key of ["ArrowLeft", "ArrowUp", "ArrowUp", "ArrowLeft", "ArrowDown"]) {
      camera = afterKey(camera, key) ?? camera;
      const matrix = projection(camera, bounds, solid.up, 1.5);
      for (let at = 0; at < solid.points.positions.length; at += 3) {
        const place = [...solid.points.positions.slice(at, at + 3), 1];
        const [x = 0, y = 0, z = 0, w = 0] = [0, 1, 2, 3].map((row) =>
          place.reduce((sum, value, axis) => sum + value * (matrix[axis * 4 + row] as number), 0),
        );
        for (const share of [x / w, y / w, z / w]) expect(Math.abs(share)).toBeLessThanOrEqual(1);
      }
    }
    expect(afterKey(camera, "0")).toEqual(START);
    expect(afterKey(camera, "a")).toBeUndefined();
  });

  test("a cloud without points has no bounds", () => {
    expect(boundsOf(parseText("a.pts.json", "[]"))).toBeUndefined();
  });
});
