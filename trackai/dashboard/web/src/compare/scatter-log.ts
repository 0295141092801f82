// Which axes of the scatter plot have a log scale: "x" or "y", "-x" or "-y" for a linear one.

export type ScatterAxis = "x" | "y";

/** Whether an axis has a log scale; undefined to decide by the values. */
export function isLogAxis(parameter: string, axis: ScatterAxis): boolean | undefined {
  const entries = parameter.split(",");
  if (entries.includes(axis)) return true;
  return entries.includes(`-${axis}`) ? false : undefined;
}

export function setLogAxis(parameter: string, axis: ScatterAxis, isLog: boolean): string {
  const others = parameter.split(",").filter((entry) => entry && entry.replace("-", "") !== axis);
  return [...others, isLog ? axis : `-${axis}`].join(",");
}
