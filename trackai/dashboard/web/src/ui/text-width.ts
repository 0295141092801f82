// The width of text in pixels.

let context: CanvasRenderingContext2D | undefined;

export function textWidth(text: string, font: string): number {
  context ??= document.createElement("canvas").getContext("2d") as CanvasRenderingContext2D;
  context.font = font;
  return context.measureText(text).width;
}
