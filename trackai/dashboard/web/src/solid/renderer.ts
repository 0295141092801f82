// Draws solids with WebGL. One context serves all viewers: browsers allow few at a time.

import { type Camera, projection } from "./camera";
import { type Bounds, boundsOf, type Shape, type Solid } from "./solid";

const VERTEX = `#version 300 es
in vec3 place;
in vec3 color;
uniform mat4 projection;
uniform float size;
out vec3 tint;
out vec3 seen;
void main() {
  gl_Position = projection * vec4(place, 1.0);
  gl_PointSize = size;
  tint = color;
  seen = gl_Position.xyw;
}`;
// The slope of a triangle follows from its neighbouring pixels.
const FRAGMENT = `#version 300 es
precision highp float;
in vec3 tint;
in vec3 seen;
uniform bool shaded;
out vec4 result;
void main() {
  float light = 1.0;
  if (shaded) {
    vec3 normal = normalize(cross(dFdx(seen), dFdy(seen)));
    light = 0.45 + 0.55 * abs(normal.z);
  }
  result = vec4(tint * light, 1.0);
}`;
const FEW_POINTS = 5000;

interface Batch {
  mode: number;
  count: number;
  vertices: WebGLVertexArrayObject;
  buffers: WebGLBuffer[];
}

interface Uploaded {
  bounds: Bounds | undefined;
  batches: Batch[];
}

class Renderer {
  private readonly canvas = document.createElement("canvas");
  private readonly gl: WebGL2RenderingContext;
  private readonly program: WebGLProgram;
  private readonly uploaded = new Map<Solid, Uploaded>();

  constructor() {
    const gl = this.canvas.getContext("webgl2", { antialias: true });
    if (!gl) throw new Error("3D files need WebGL, which this browser does not offer here.");
    this.gl = gl;
    this.program = link(gl);
    // All is uploaded again by the next drawing.
    this.canvas.addEventListener("webglcontextlost", () => {
      current = undefined;
    });
  }

  draw(solid: Solid, camera: Camera, target: HTMLCanvasElement): void {
    const { gl, canvas } = this;
    const [width, height] = [target.width, target.height];
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const { bounds, batches } = this.upload(solid);
    gl.viewport(0, 0, width, height);
    gl.enable(gl.DEPTH_TEST);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.useProgram(this.program);
    const uniform = (name: string) => gl.getUniformLocation(this.program, name);
    if (bounds) {
      const matrix = projection(camera, bounds, solid.up, width / height);
      gl.uniformMatrix4fv(uniform("projection"), false, matrix);
    }
    for (const { mode, count, vertices } of batches) {
      const size = (count < FEW_POINTS ? 4 : 2) * devicePixelRatio;
      gl.uniform1f(uniform("size"), size);
      gl.uniform1i(uniform("shaded"), mode === gl.TRIANGLES ? 1 : 0);
      gl.bindVertexArray(vertices);
      gl.drawArrays(mode, 0, count);
    }
    const context = target.getContext("2d");
    context?.clearRect(0, 0, width, height);
    context?.drawImage(canvas, 0, 0);
  }

  private upload(solid: Solid): Uploaded {
    const known = this.uploaded.get(solid);
    if (known) return known;
    const { gl } = this;
    const shapes: [number, Shape][] = [
      [gl.TRIANGLES, solid.triangles],
      [gl.LINES, solid.lines],
      [gl.POINTS, solid.points],
    ];
    const batches = shapes
      .filter(([, { positions }]) => positions.length > 0)
      .map(([mode, shape]) => this.batch(mode, shape));
    const uploaded = { bounds: boundsOf(solid), batches };
    this.uploaded.set(solid, uploaded);
    return uploaded;
  }

  private batch(mode: number, { positions, colors }: Shape): Batch {
    const { gl } = this;
    const vertices = gl.createVertexArray();
    gl.bindVertexArray(vertices);
    const attribute = (name: string, data: Float32Array | Uint8Array) => {
      const buffer = gl.createBuffer();
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
      const location = gl.getAttribLocation(this.program, name);
      const isBytes = data instanceof Uint8Array;
      gl.enableVertexAttribArray(location);
      gl.vertexAttribPointer(location, 3, isBytes ? gl.UNSIGNED_BYTE : gl.FLOAT, isBytes, 0, 0);
      return buffer;
    };
    const buffers = [attribute("place", positions), attribute("color", colors)];
    return { mode, count: positions.length / 3, vertices, buffers };
  }

  release(solid: Solid): void {
    const { gl } = this;
    for (const { vertices, buffers } of this.uploaded.get(solid)?.batches ?? []) {
      gl.deleteVertexArray(vertices);
      for (const buffer of buffers) gl.deleteBuffer(buffer);
    }
    this.uploaded.delete(solid);
  }
}

function link(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram();
  for (const [type, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ] as const) {
    const shader = gl.createShader(type) as WebGLShader;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
    throw new Error(`WebGL: ${gl.getProgramInfoLog(program)}`);
  }
  return program;
}

let current: Renderer | undefined;

/** Draw a solid on a canvas; throws an error if the browser has no WebGL. */
export function drawSolid(solid: Solid, camera: Camera, target: HTMLCanvasElement): void {
  current ??= new Renderer();
  current.draw(solid, camera, target);
}

/** Free the memory of a solid that is not shown any more. */
export const releaseSolid = (solid: Solid): void => current?.release(solid);
