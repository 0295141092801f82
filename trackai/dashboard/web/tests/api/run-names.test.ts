import { beforeEach, expect, test, vi } from "vitest";
import type { Run } from "../../src/api/types";

const run = (id: number, name: string | null) => ({ id, name, run_id: `slug-${id}` }) as Run;
let names: typeof import("../../src/api/run-names");

beforeEach(async () => {
  vi.resetModules();
  names = await import("../../src/api/run-names");
});

test("names are remembered; a run without one has its run id", () => {
  names.rememberNames([run(1, "first"), run(2, null)]);
  expect([1, 2, 3].map(names.nameOf)).toEqual(["first", "slug-2", "run 3"]);
  const before = names.runNames.value;
  names.rememberNames([run(1, "first")]);
  expect(names.runNames.value).toBe(before);
  names.rememberNames([run(1, "renamed")]);
  expect(names.nameOf(1)).toBe("renamed");
});

test("unknown names are fetched once, in batches, and missing runs are noted", async () => {
  const fetch = vi.fn(async (path: string) => {
    const filter = new URL(path, "http://host").searchParams.get("filter") ?? "";
    const ids = [...filter.matchAll(/id = (\d+)/g)].map(([, id]) => Number(id));
    return Response.json({ runs: ids.filter((id) => id !== 7).map((id) => run(id, `n${id}`)) });
  });
  vi.stubGlobal("fetch", fetch);
  const ids = Array.from({ length: 150 }, (_, index) => index + 1);
  names.rememberNames([run(1, "known")]);
  await names.fetchNames(ids);
  expect(fetch).toHaveBeenCalledTimes(2);
  expect([1, 2, 150].map(names.nameOf)).toEqual(["known", "n2", "n150"]);
  expect([...names.missingRuns.value]).toEqual([7]);
  await names.fetchNames(ids);
  expect(fetch).toHaveBeenCalledTimes(2);
});

test("missing runs are noted once", () => {
  names.noteMissing([3, 4]);
  const noted = names.missingRuns.value;
  names.noteMissing([4]);
  names.noteMissing([]);
  expect(names.missingRuns.value).toBe(noted);
  expect([...noted]).toEqual([3, 4]);
});

test("names are requested again after an error", async () => {
  vi.stubGlobal("fetch", async () => Response.json({ detail: "broken" }, { status: 500 }));
  await names.fetchNames([5]);
  expect(names.missingRuns.value.size).toBe(0);
  vi.stubGlobal("fetch", async () => Response.json({ runs: [run(5, "five")] }));
  await names.fetchNames([5]);
  expect(names.nameOf(5)).toBe("five");
});
