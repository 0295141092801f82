// Reading and printing the parameters of the address.

import type { Range, XAxis } from "../api/types";

/** Parameters to set; undefined or "" removes one. */
export type Change = Record<string, string | number | undefined>;

/** Says that a parameter is not set, although the shown view sets it. */
export const UNSET = " ";

/**
 * The address with some parameters changed.
 *
 * `ofView` are those that the shown view sets unless the address does; a change that names the view
 * is of another one.
 */
export function printAddress(
  search: string,
  change: Change,
  ofView: Record<string, string> = {},
): string {
  const params = new URLSearchParams(search);
  const staysInView = params.has("panels") && !("panels" in change);
  for (const [name, value] of Object.entries(change)) {
    if (value !== undefined && value !== "") params.set(name, String(value));
    else if (staysInView && ofView[name]) params.set(name, UNSET);
    else params.delete(name);
  }
  const query = params.toString();
  return query ? `/?${query}` : "/";
}

export function parseId(text: string | null): number | undefined {
  const id = Number(text);
  return Number.isInteger(id) && id > 0 ? id : undefined;
}

/** Ids with commas between them; undefined if the parameter is not set. */
export function parseIds(text: string | null): number[] | undefined {
  return text === null ? undefined : text.split(",").flatMap((id) => parseId(id) ?? []);
}

/** Lines of text; empty ones are left out. */
export const parseList = (text: string | null): string[] =>
  (text ?? "").split("\n").filter(Boolean);

export const printList = (items: string[]): string => items.join("\n");

export const parseXAxis = (text: string | null): XAxis =>
  text === "time" || text === "relative" ? text : "step";

export const parseSmoothing = (text: string | null): number =>
  Math.min(0.99, Math.max(0, Number(text) || 0));

export interface AxisRange extends Range {
  axis: string;
}

/** A zoomed range as AXIS:MIN:MAX; undefined if it is not one. */
export function parseRange(text: string | null): AxisRange | undefined {
  const [axis, low, high] = (text ?? "").split(":");
  const [min, max] = [Number(low), Number(high)];
  return axis && low && high && min < max ? { axis, min, max } : undefined;
}

/** A range whose ends may be open. */
export type Limits = Partial<Range>;

/** Limits of the y axes as lines of MIN:MAX:PATH, where an end may be empty. */
export function parseLimits(text: string | null): Map<string, Limits> {
  const limits = new Map<string, Limits>();
  for (const line of parseList(text)) {
    const [, low, high, path] = /^([^:]*):([^:]*):(.+)$/.exec(line) ?? [];
    const [min, max] = [parseLimit(low), parseLimit(high)];
    if (path && isRange({ min, max })) limits.set(path, { min, max });
  }
  return limits;
}

/** A number as it is typed; undefined if it is not one. */
export function parseLimit(text: string | undefined): number | undefined {
  const value = Number(text);
  return text?.trim() && Number.isFinite(value) ? value : undefined;
}

/** Whether limits have an end, and are in order. */
export const isRange = ({ min, max }: Limits): boolean =>
  min === undefined ? max !== undefined : max === undefined || min < max;

export const printLimits = (limits: Map<string, Limits>): string =>
  printList([...limits].map(([path, { min, max }]) => `${min ?? ""}:${max ?? ""}:${path}`));

const rounded = (value: number): number => Number(value.toPrecision(9));

export const printRange = (axis: string, { min, max }: Range): string =>
  `${axis}:${rounded(min)}:${rounded(max)}`;

/** The fields of a list with commas between them; a quoted field may contain commas. */
export const splitFields = (text: string): string[] =>
  (text.match(/(?:"(?:\\.|[^"\\])*"|[^,"])+/g) ?? []).map((field) => field.trim());
