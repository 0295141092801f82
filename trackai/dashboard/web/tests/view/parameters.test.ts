import { beforeEach, describe, expect, test, vi } from "vitest";
import { printAddress } from "../../src/view/parsing";

/** The modules of the view as they are after a page load with this address. */
async function load(search: string) {
  vi.resetModules();
  const place = { search, hash: "", pathname: "/" };
  const entries: string[] = [];
  const set = (_state: unknown, _title: string, url?: string) => {
    if (url === undefined) return;
    place.search = url.includes("?") ? url.slice(url.indexOf("?")) : "";
    entries.push(url);
  };
  vi.stubGlobal("location", place);
  vi.stubGlobal("history", { state: null, pushState: set, replaceState: set });
  const address = await import("../../src/view/address");
  const parameters = await import("../../src/view/parameters");
  return { ...address, ...parameters, entries };
}

beforeEach(() => vi.resetModules());

describe("parameters", () => {
  test("have defaults", async () => {
    const view = await load("");
    expect(view.projectId.value).toBeUndefined();
    expect(view.choice.value).toBeUndefined();
    expect([view.sortField.value, view.sortOrder.value]).toEqual(["created_at", "desc"]);
    expect([view.xAxis.value, view.smoothing.value, view.logY.value]).toEqual(["step", 0, false]);
    expect(view.clipOutliers.value).toBe(true);
    expect(view.filter.value).toBe("");
  });

  test("are read from the address", async () => {
    const view = await load("?project=3&runs=1,2&scale=log&clip=0&filter=abc&closed=train%0Aval");
    expect(view.projectId.value).toBe(3);
    expect(view.choice.value).toEqual({ ids: [1, 2], filters: [], except: [] });
    expect([view.logY.value, view.logX.value, view.clipOutliers.value]).toEqual([
      true,
      false,
      false,
    ]);
    expect(view.filter.value).toBe('(name ~ "abc" or run_id ~ "abc")');
    expect(view.closedSections.value).toEqual(["train", "val"]);
  });

  test("means are by the groups of the table unless another field is selected", async () => {
    expect((await load("?by=group")).meanBy.value).toBe("group");
    expect((await load("?by=group&mean=state")).meanBy.value).toBe("state");
    expect((await load("?by=group&mean=none")).meanBy.value).toBe("");
  });

  test("the page of a run hides no lines", async () => {
    expect((await load("?hide=run+1")).hiddenLines.value).toEqual(["run 1"]);
    expect((await load("?hide=run+1&run=1")).hiddenLines.value).toEqual([]);
  });
});

describe("go", () => {
  test("changes the address and the parameters", async () => {
    const view = await load("?project=1&sort=name");
    view.go({ sort: "state", filter: "x" });
    expect(view.entries).toEqual(["/?project=1&sort=state&filter=x"]);
    expect(view.sortField.value).toBe("state");
    view.go({ project: 2 }, { keep: false });
    expect(view.entries.at(-1)).toBe("/?project=2");
    expect(view.sortField.value).toBe("created_at");
  });
});

test("keepingView keeps the view of the project and nothing of the page", async () => {
  const view = await load("?project=1&runs=1,2&x=time&tab=logs&target=loss");
  const address = view.pageAddress(view.keepingView({ run: 2, project: 1 }));
  expect(address).toBe("/?run=2&project=1&runs=1%2C2&x=time");
});

describe("the parameters of a view", () => {
  const ofView = { filter: "a = 1" };

  test("are taken away by the address, which says so", () => {
    const address = printAddress("?project=1&panels=2", { filter: "", sort: undefined }, ofView);
    expect(address).toBe("/?project=1&panels=2&filter=+");
    expect(printAddress(address.slice(1), { filter: "b" }, ofView)).toContain("filter=b");
  });

  test("do not concern another view, or a page without one", () => {
    const change = { panels: 3, filter: undefined };
    expect(printAddress("?panels=2&filter=b", change, ofView)).toBe("/?panels=3");
    expect(printAddress("?filter=b", { filter: undefined }, ofView)).toBe("/");
  });
});
