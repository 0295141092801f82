// The colour and dash of a line, beside its name.

import type { LineStyle } from "./colors";

export const Swatch = ({ color, dash }: LineStyle) => (
  <i class={dash.length > 0 ? "swatch dashed" : "swatch"} style={{ borderTopColor: color }} />
);
