// Models and point clouds in the formats PLY and splat.

import { addFace } from "./parse-obj";
import { PLAIN, type Rgb, type Solid, SolidBuilder, type Xyz } from "./solid";

interface Property {
  name: string;
  type: string;
  /** The type of the length, for a list. */
  lengthType: string | undefined;
}

interface Element {
  name: string;
  count: number;
  properties: Property[];
}

type Row = Record<string, number | number[]>;
type ReadNumber = (type: string) => number;

const TYPES: Record<string, [method: "Int" | "Uint" | "Float", bits: 8 | 16 | 32 | 64]> = {
  char: ["Int", 8],
  int8: ["Int", 8],
  uchar: ["Uint", 8],
  uint8: ["Uint", 8],
  short: ["Int", 16],
  int16: ["Int", 16],
  ushort: ["Uint", 16],
  uint16: ["Uint", 16],
  int: ["Int", 32],
  int32: ["Int", 32],
  uint: ["Uint", 32],
  uint32: ["Uint", 32],
  float: ["Float", 32],
  float32: ["Float", 32],
  double: ["Float", 64],
  float64: ["Float", 64],
};
const MAX_HEADER = 100_000;

export function parsePly(bytes: ArrayBuffer): Solid {
  const beginning = new TextDecoder("latin1").decode(bytes.slice(0, MAX_HEADER));
  const end = /end_header\r?\n/.exec(beginning);
  if (!beginning.startsWith("ply") || !end) throw new Error("not a PLY file");
  const start = end.index + end[0].length;
  const header = beginning.slice(0, end.index);
  const format = /format\s+(\S+)/.exec(header)?.[1] ?? "ascii";
  const read =
    format === "ascii"
      ? textReader(new TextDecoder().decode(bytes.slice(start)))
      : binaryReader(new DataView(bytes, start), format === "binary_little_endian");
  const builder = new SolidBuilder();
  const [places, colors]: [Xyz[], Rgb[]] = [[], []];
  let faces = 0;
  for (const element of readElements(header)) {
    for (let index = 0; index < element.count; index++) {
      const row = readRow(element, read);
      if (element.name === "vertex") {
        places.push([row.x, row.y, row.z].map(Number) as Xyz);
        const color = [row.red, row.green, row.blue];
        colors.push(row.red === undefined ? PLAIN : (color.map(Number) as Rgb));
      } else if (element.name === "face") {
        faces += 1;
        const corners = row.vertex_indices ?? row.vertex_index;
        addFace(builder, places, colors, Array.isArray(corners) ? corners : []);
      }
    }
  }
  if (faces === 0) {
    places.forEach((place, index) => {
      builder.points.add([place], colors[index] as Rgb);
    });
  }
  return builder.solid("z");
}

function readElements(header: string): Element[] {
  const elements: Element[] = [];
  for (const line of header.split("\n")) {
    const [keyword, ...words] = line.trim().split(/\s+/);
    const [first = "", second = "", third = "", fourth = ""] = words;
    if (keyword === "element") {
      elements.push({ name: first, count: Number(second), properties: [] });
    } else if (keyword === "property") {
      const isList = first === "list";
      elements.at(-1)?.properties.push({
        name: isList ? fourth : second,
        type: isList ? third : first,
        lengthType: isList ? second : undefined,
      });
    }
  }
  return elements;
}

function readRow({ properties }: Element, read: ReadNumber): Row {
  const row: Row = {};
  for (const { name, type, lengthType } of properties) {
    if (lengthType === undefined) row[name] = read(type);
    else row[name] = Array.from({ length: read(lengthType) }, () => read(type));
  }
  return row;
}

function textReader(text: string): ReadNumber {
  const words = text.split(/\s+/).filter(Boolean);
  let next = 0;
  return () => {
    if (next >= words.length) throw new Error("the file ends early");
    return Number(words[next++]);
  };
}

function binaryReader(view: DataView, isLittle: boolean): ReadNumber {
  let next = 0;
  return (type) => {
    const [method, bits] = TYPES[type] ?? [];
    if (!method || !bits) throw new Error(`unknown type ${type}`);
    const at = next;
    next += bits / 8;
    if (next > view.byteLength) throw new Error("the file ends early");
    const name = `get${method}${bits}` as "getFloat32";
    return view[name](at, isLittle);
  };
}

const SPLAT = 32;

/** The centres of Gaussian splats, as points: each has a place, a size, a colour and a rotation. */
export function parseSplat(bytes: ArrayBuffer): Solid {
  const view = new DataView(bytes);
  const builder = new SolidBuilder();
  for (let start = 0; start + SPLAT <= bytes.byteLength; start += SPLAT) {
    const place = [0, 4, 8].map((at) => view.getFloat32(start + at, true)) as Xyz;
    const color = [24, 25, 26].map((at) => view.getUint8(start + at)) as Rgb;
    builder.points.add([place], color);
  }
  return builder.solid("y");
}
