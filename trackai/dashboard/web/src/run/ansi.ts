// The colours of a terminal, as the eight of a palette that can be read in both themes.

export interface Style {
  /** From 1 to 6: red, green, yellow, blue, magenta, cyan. Black and white are that of the text. */
  color?: number;
  isBold?: boolean;
  isItalic?: boolean;
  isUnderlined?: boolean;
}

/** The style after a sequence with these parameters. Backgrounds and blinking are left out. */
export function readAnsi(parameters: string, before: Style): Style {
  const codes = parameters.split(/[;:]/).map(Number);
  let style = { ...before };
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at] as number;
    if (code === 0) style = {};
    else if (code === 1) style.isBold = true;
    else if (code === 3) style.isItalic = true;
    else if (code === 4) style.isUnderlined = true;
    else if (code === 22) style.isBold = false;
    else if (code === 23) style.isItalic = false;
    else if (code === 24) style.isUnderlined = false;
    else if (code === 39) style.color = undefined;
    else if (code >= 30 && code <= 37) style.color = paletteColor(code - 30);
    else if (code >= 90 && code <= 97) style.color = paletteColor(code - 90);
    else if (code === 38 || code === 48) {
      const [color, length] = extendedColor(codes.slice(at + 1));
      if (code === 38) style.color = color;
      at += length;
    }
  }
  return style;
}

const paletteColor = (index: number): number | undefined => (index % 7 === 0 ? undefined : index);

/** One of 256 colours, or red, green and blue; and how many codes it takes. */
function extendedColor(codes: number[]): [color: number | undefined, length: number] {
  const [kind, first = 0, second = 0, third = 0] = codes;
  if (kind === 2) return [nearest(first, second, third), 4];
  if (kind !== 5) return [undefined, 0];
  if (first < 16) return [paletteColor(first % 8), 2];
  if (first >= 232) return [undefined, 2];
  const [red, green] = [Math.floor((first - 16) / 36), Math.floor((first - 16) / 6) % 6];
  return [nearest(red * 51, green * 51, ((first - 16) % 6) * 51), 2];
}

/** The colour of the palette with the most similar hue; none for greys. */
function nearest(red: number, green: number, blue: number): number | undefined {
  const [low, high] = [Math.min(red, green, blue), Math.max(red, green, blue)];
  if (high - low < 40) return undefined;
  const middle = (low + high) / 2;
  const bits = [red, green, blue].map((channel, bit) => (channel > middle ? 1 << bit : 0));
  return paletteColor(bits.reduce((sum, bit) => sum + bit, 0));
}
