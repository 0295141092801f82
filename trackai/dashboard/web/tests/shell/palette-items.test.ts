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
  is_archived: false,
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

test("actions lead to the other pages of the project, with the selected runs", async () => {
  const { actionItems } = await load("?project=1&view=media&runs=2,3&filter=x");
  const addresses = Object.fromEntries(actionItems("").map(({ name, address }) => [name, address]));
  const ofProject = "/?project=1&filter=x";
  expect(addresses).not.toHaveProperty("Show media of selected runs");
  expect(addresses["Compare selected runs"]).toBe("/?project=1&view=compare&filter=x&runs=2%2C3");
  expect(addresses["Analyse all matching runs"]).toMatch(/view=sweep/);
  expect(addresses["Show archived runs"]).toBe(`${ofProject}&show=archived`);
  expect(addresses["Show trash"]).toBe(`${ofProject}&show=trash`);
  const { actionItems: ofTrash } = await load("?project=1&show=trash");
  expect(ofTrash("trash")).toEqual([]);
});

test("on a page without a table, a metric and a tag lead to the table", async () => {
  const { hitItem } = await load("?project=3&view=media&runs=2,3");
  const address = hitItem(hit({ kind: "tag", name: "good" })).address;
  expect(address).toBe("/?project=3&filter=tag+%3D+%22good%22");
});

test("actions are those of the page, and match a text", async () => {
  const { actionItems } = await load("?project=1&runs=2,3");
  const names = (text: string) => actionItems(text).map(({ name }) => name);
  expect(names("")).toContain("Compare selected runs");
  expect(names("")).not.toContain("Show Logs");
  expect(names("THEME")).toEqual(["Theme: system", "Theme: light", "Theme: dark"]);
  const { actionItems: ofRun } = await load("?project=1&run=2");
  expect(ofRun("logs").map(({ address }) => address)).toEqual(["/?project=1&run=2&tab=logs"]);
});
