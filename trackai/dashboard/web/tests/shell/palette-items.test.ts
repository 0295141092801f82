import { describe, expect, test, vi } from "vitest";
import type { SearchHit } from "../../src/api/types";

const hit = (change: Partial<SearchHit>): SearchHit => ({
  kind: "run",
  name: "n",
  project_id: 3,
  project: "p",
  run_id: null,
  view_id: null,
  field: null,
  ...change,
});

async function load(search: string) {
  vi.resetModules();
  vi.stubGlobal("location", { search, hash: "", pathname: "/" });
  return import("../../src/shell/palette-items");
}

describe("hitItem leads to the page", () => {
  test.each([
    [{ kind: "project" }, "/?project=3"],
    [{ kind: "run", run_id: 7 }, "/?project=3&run=7"],
    [{ kind: "file", run_id: 7, name: "a b.csv" }, "/?project=3&run=7&tab=files&file=a+b.csv"],
    [{ kind: "view", view_id: 2 }, "/?project=3&panels=2"],
    [{ kind: "metric", name: "a.b/c" }, "/?project=3&metrics=%5Ea%5C.b%2Fc%24"],
    [{ kind: "tag", name: 'x "y"' }, "/?project=3&filter=tag+%3D+%22x+%5C%22y%5C%22%22"],
    [{ kind: "config", field: 'config."a b"' }, "/?project=3&columns=config.%22a+b%22"],
  ] as [Partial<SearchHit>, string][])("%j", async (change, address) => {
    const { hitItem } = await load("?project=1&filter=x");
    expect(hitItem(hit(change)).address).toBe(address);
  });
});

test("a frame stays a frame", async () => {
  const { hitItem } = await load("?project=1&embed=1");
  expect(hitItem(hit({ kind: "project" })).address).toBe("/?embed=1&project=3");
});

test("actions are those of the page, and match a text", async () => {
  const { actionItems } = await load("?project=1");
  const names = (text: string) => actionItems(text).map(({ name }) => name);
  expect(names("")).toContain("Compare selected runs");
  expect(names("")).not.toContain("Show Logs");
  expect(names("THEME")).toEqual(["Theme: system", "Theme: light", "Theme: dark"]);
  const { actionItems: ofRun } = await load("?project=1&run=2");
  expect(ofRun("logs").map(({ address }) => address)).toEqual(["/?project=1&run=2&tab=logs"]);
});
