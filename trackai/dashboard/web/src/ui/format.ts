// Numbers, times and counts as text.

import { toJson } from "./json";

/** "10,000". In English like the texts around it, and decimals have a point in every language. */
export const grouped = new Intl.NumberFormat("en").format;

/** "1 run", "2 runs", "10,000 runs". */
export const plural = (count: number, noun: string, nouns = `${noun}s`): string =>
  `${grouped(count)} ${count === 1 ? noun : nouns}`;

/** Any value of a table cell, integers in full; "–" for a missing one. */
export function formatValue(value: unknown): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number" && !Number.isSafeInteger(value)) return formatNumber(value);
  if (typeof value === "object") return toJson(value);
  return String(value);
}

// Shorter numbers need no rounding to be read.
const SHORT = 8;

/** Any value with its floats rounded, in lists and mappings too. */
export function readable(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value !== "number") return toJson(roundedFloats(value));
  return String(value).length <= SHORT || Number.isSafeInteger(value)
    ? String(value)
    : formatNumber(value);
}

function roundedFloats(value: unknown): unknown {
  if (typeof value === "number") return Number(readable(value));
  if (Array.isArray(value)) return value.map(roundedFloats);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, roundedFloats(item)]));
}

export function formatNumber(value: number, digits = 5): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(digits - 2);
  const text = value.toPrecision(size >= 1e5 ? Math.max(6, digits) : digits);
  // Trailing zeros of an integer are significant.
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

const AGES = [
  ["d", 86400],
  ["h", 3600],
  ["min", 60],
] as const;

export function timeAgo(timestamp: string): string {
  const seconds = (Date.now() - Date.parse(timestamp)) / 1000;
  for (const [unit, length] of AGES) {
    if (seconds >= 2 * length) return `${Math.round(seconds / length)} ${unit} ago`;
  }
  return `${Math.max(0, Math.round(seconds))} s ago`;
}

// In the local time zone. The Swedish locale writes dates and times as ISO 8601 does.
export const formatTime = (seconds: number): string =>
  new Date(seconds * 1000).toLocaleTimeString("sv");
export const formatDate = (seconds: number): string =>
  new Date(seconds * 1000).toLocaleDateString("sv");
export const formatDateTime = (seconds: number): string =>
  `${formatDate(seconds)} ${formatTime(seconds)}`;

const BYTES = [
  ["GB", 1e9],
  ["MB", 1e6],
  ["kB", 1e3],
] as const;

export function formatBytes(size: number): string {
  for (const [unit, length] of BYTES) {
    if (size >= length) return `${(size / length).toPrecision(3)} ${unit}`;
  }
  return `${size} B`;
}

export function formatDuration(seconds: number): string {
  const total = Math.max(0, Math.round(seconds));
  const days = Math.floor(total / 86400);
  const hours = Math.floor(total / 3600) % 24;
  const minutes = Math.floor(total / 60) % 60;
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${total % 60} s` : `${total} s`;
}
