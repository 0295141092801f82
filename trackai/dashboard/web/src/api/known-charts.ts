// The charts that the server has sent, so that it need not send their buckets again.

import type { ChartDelta } from "./types";

interface KnownChart {
  version: string;
  buckets: unknown[];
}

/** The charts of a request that is repeated, by run or by the number of a group, and by metric. */
export class KnownCharts {
  private readonly charts = new Map<string, KnownChart>();

  /** The versions to send with the next request. */
  versions(path: string, keys: (string | number)[]): Record<string, Record<string, string>> {
    const versions: Record<string, Record<string, string>> = {};
    for (const key of keys) {
      const known = this.charts.get(nameOf(key, path));
      if (known) versions[key] = { [path]: known.version };
    }
    return versions;
  }

  /** A chart with all its buckets. */
  complete<T extends { data: unknown[] }>(key: string | number, path: string, sent: T): T {
    const { version, kept = 0, smoothed, ...chart } = sent as T & ChartDelta;
    if (version === undefined) return sent;
    const start = this.charts.get(nameOf(key, path))?.buckets.slice(0, kept) ?? [];
    const buckets = [...start, ...sent.data];
    this.charts.set(nameOf(key, path), { version, buckets });
    return { ...chart, data: smoothed ? withAverages(buckets, smoothed) : buckets } as unknown as T;
  }
}

const nameOf = (key: string | number, path: string): string => `${key} ${path}`;

const withAverages = (buckets: unknown[], averages: (number | null)[]): unknown[] =>
  buckets.map((bucket, place) => ({ ...(bucket as object), smoothed: averages[place] }));
