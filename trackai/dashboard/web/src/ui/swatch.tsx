// The colour and dash of a line, beside its name.

import type { LineStyle } from "./colors";

export const Swatch = (style: LineStyle) => <i class="swatch" style={swatchStyle(style)} />;

/** The style of an element of the class `swatch`: its background is the line. */
export function swatchStyle({ color, dash }: LineStyle): { color: string; background: string } {
  let end = 0;
  const stops = dash.map((length, index) => {
    const start = end;
    end += length;
    return `${index % 2 === 0 ? "currentColor" : "transparent"} ${start}px ${end}px`;
  });
  const isSolid = stops.length === 0;
  const background = isSolid ? "currentColor" : `repeating-linear-gradient(90deg, ${stops})`;
  return { color, background };
}
