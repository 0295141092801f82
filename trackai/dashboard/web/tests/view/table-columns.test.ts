import { beforeEach, describe, expect, test, vi } from "vitest";

/** The modules as they are after a page load with this address. */
async function load(query: Record<string, string> = {}) {
  vi.resetModules();
  const place = { search: `?${new URLSearchParams(query)}`, hash: "", pathname: "/" };
  const set = (_state: unknown, _title: string, url?: string) => {
    if (url !== undefined) place.search = url.includes("?") ? url.slice(url.indexOf("?")) : "";
  };
  vi.stubGlobal("location", place);
  vi.stubGlobal("history", { state: null, pushState: set, replaceState: set });
  const table = await import("../../src/view/table-columns");
  return { ...table, parameter: (name: string) => new URLSearchParams(place.search).get(name) };
}

beforeEach(() => vi.resetModules());

const ABC = { columns: "config.a\nconfig.b\nmetric.c" };

describe("the order of columns", () => {
  test("is that of the address, between states and times", async () => {
    const table = await load(ABC);
    expect(table.columns.value).toEqual(["config.a", "config.b", "metric.c"]);
    const order = ["state", "config.a", "config.b", "metric.c", "created_at"];
    expect(table.shownColumns.value).toEqual(order);
  });

  test("is the default, then that of the view, then that of the address", async () => {
    const table = await load();
    expect(table.columns.value).toEqual([]);
    table.defaultColumns.value = ["metric.loss.min"];
    expect(table.columns.value).toEqual(["metric.loss.min"]);
    table.viewTable.value = { columns: ["config.v"], pinned: ["config.v"], widths: {} };
    expect(table.shownColumns.value).toEqual(["config.v", "state", "created_at"]);
    table.addColumn("config.w");
    expect(table.columns.value).toEqual(["config.v", "config.w"]);
    expect(table.hasOwnColumns.value).toBe(true);
    table.removeColumn("config.w");
    expect(table.hasOwnColumns.value).toBe(false);
  });

  test("can be without columns", async () => {
    const table = await load();
    table.defaultColumns.value = ["metric.loss.min"];
    table.removeColumn("metric.loss.min");
    expect(table.parameter("columns")).toBe("none");
    expect(table.columns.value).toEqual([]);
    expect(table.shownColumns.value).toEqual(["state", "created_at"]);
  });

  test.each([
    ["config.b", 0, ["config.b", "state", "config.a", "metric.c", "created_at"]],
    ["state", 4, ["config.a", "config.b", "metric.c", "created_at", "state"]],
    ["created_at", 1, ["state", "created_at", "config.a", "config.b", "metric.c"]],
    ["config.a", 1, ["state", "config.a", "config.b", "metric.c", "created_at"]],
  ])("changes when %s is dropped after %i others", async (field, index, order) => {
    const table = await load(ABC);
    table.placeColumn(field, index);
    expect(table.shownColumns.value).toEqual(order);
    expect(table.columns.value).toEqual(
      order.filter((column) => column !== "state" && column !== "created_at"),
    );
    const reloaded = await load({ columns: table.parameter("columns") ?? "" });
    expect(reloaded.shownColumns.value).toEqual(order);
  });

  test("goes step by step from one end to the other and back", async () => {
    const table = await load(ABC);
    const start = table.shownColumns.value;
    let steps = 0;
    while (table.shiftColumn("config.a", 1)) steps += 1;
    expect(table.shownColumns.value.at(-1)).toBe("config.a");
    while (table.shiftColumn("config.a", -1)) steps -= 1;
    expect(table.shownColumns.value[0]).toBe("config.a");
    expect(steps).toBe(-1);
    table.shiftColumn("config.a", 1);
    expect(table.shownColumns.value).toEqual(start);
  });
});

describe("pinned columns", () => {
  test("come first, and go back behind the others", async () => {
    const table = await load(ABC);
    table.togglePin("metric.c");
    table.togglePin("config.b");
    const pinned = ["metric.c", "config.b"];
    expect(table.shownColumns.value).toEqual([...pinned, "state", "config.a", "created_at"]);
    expect(table.parameter("pinned")).toBe("metric.c\nconfig.b");
    table.togglePin("metric.c");
    expect(table.pinnedColumns.value).toEqual(["config.b"]);
    expect(table.shownColumns.value[1]).toBe("metric.c");
  });

  test("a column dropped among them is pinned, one dropped behind them is not", async () => {
    const table = await load({ ...ABC, pinned: "config.a\nconfig.b" });
    table.placeColumn("metric.c", 1);
    expect(table.pinnedColumns.value).toEqual(["config.a", "metric.c", "config.b"]);
    table.placeColumn("config.a", 4);
    expect(table.pinnedColumns.value).toEqual(["metric.c", "config.b"]);
    expect(table.shownColumns.value.at(-1)).toBe("config.a");
  });

  test("that are no columns are ignored", async () => {
    const table = await load({ ...ABC, pinned: "config.gone\nconfig.a\nconfig.a" });
    expect(table.pinnedColumns.value).toEqual(["config.a"]);
  });

  test("of a view can be given up", async () => {
    const table = await load();
    table.viewTable.value = { columns: ["config.v"], pinned: ["config.v"], widths: {} };
    table.togglePin("config.v");
    expect(table.pinnedColumns.value).toEqual([]);
    expect(table.parameter("pinned")).toBe("none");
  });
});

describe("widths", () => {
  test("are kept within limits", async () => {
    const table = await load(ABC);
    table.setWidth("config.a", 5);
    table.setWidth("name", 5000);
    expect(table.columnWidths.value).toEqual({ "config.a": 48, name: 900 });
    expect(table.parameter("widths")).toBe("48:config.a\n900:name");
    table.setWidth("config.a", undefined);
    table.setWidth("name", undefined);
    expect(table.parameter("widths")).toBeNull();
  });

  test("in the address that are none are ignored", async () => {
    const table = await load({ widths: "x:config.a\n:b\n77:config.b\n99999:config.c" });
    expect(table.columnWidths.value).toEqual({ "config.b": 77 });
  });

  test("go with a column to its other figure", async () => {
    const table = await load({ columns: "metric.c", pinned: "metric.c", widths: "70:metric.c" });
    table.replaceColumn("metric.c", "metric.c.min");
    expect(table.columns.value).toEqual(["metric.c.min"]);
    expect(table.pinnedColumns.value).toEqual(["metric.c.min"]);
    expect(table.columnWidths.value).toEqual({ "metric.c.min": 70 });
  });
});

test("a view can keep the table as it is", async () => {
  const table = await load({ ...ABC, pinned: "metric.c", widths: "70:metric.c" });
  const kept = table.currentColumns();
  const other = await load();
  other.viewTable.value = kept;
  expect(other.shownColumns.value).toEqual(table.shownColumns.value);
  expect(other.currentColumns()).toEqual(kept);
});
