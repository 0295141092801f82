// Values and times as people read them.

import type { Value } from "./api";

export function value(value: unknown): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return number(value);
  if (typeof value === "object") return JSON.stringify(value);
  return String(value);
}

export function number(value: number, digits = 5): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(digits - 2);
  const said = value.toPrecision(size >= 1e5 ? Math.max(6, digits) : digits);
  // Only what is behind a point says nothing.
  return said.includes(".") ? said.replace(/\.?0+$/, "") : said;
}

export function ago(time: string): string {
  const seconds = (Date.now() - Date.parse(time)) / 1000;
  for (const [unit, length] of [
    ["d", 86400],
    ["h", 3600],
    ["min", 60],
  ] as const) {
    if (seconds >= 2 * length) return `${Math.round(seconds / length)} ${unit} ago`;
  }
  return `${Math.max(0, Math.round(seconds))} s ago`;
}

/** The time of day and the day as they are written in this zone; Swedes write them as ISO 8601 does. */
export const clock = (seconds: number): string => new Date(seconds * 1000).toLocaleTimeString("sv");
export const day = (seconds: number): string => new Date(seconds * 1000).toLocaleDateString("sv");
export const moment = (seconds: number): string => `${day(seconds)} ${clock(seconds)}`;

export const plain = (value: Value | undefined): number | null =>
  typeof value === "number" ? value : typeof value === "boolean" ? Number(value) : null;

export function bytes(size: number): string {
  for (const [unit, length] of [
    ["GB", 1e9],
    ["MB", 1e6],
    ["kB", 1e3],
  ] as const) {
    if (size >= length) return `${(size / length).toPrecision(3)} ${unit}`;
  }
  return `${size} B`;
}

export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [days, hours, minutes] = [
    Math.floor(whole / 86400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
  ];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

/** The order of names with numbers in them: key2 before key10. */
export const natural = (one: string, other: string): number =>
  one.localeCompare(other, undefined, { numeric: true });
