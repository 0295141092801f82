import { expect, test, vi } from "vitest";
import { getGroupMembers, getLoggedPaths } from "../../src/api/charts";

const respond = (body: unknown, status = 200) => {
  const fetch = vi.fn(async (_path: string, _options?: RequestInit) =>
    Response.json(body, { status }),
  );
  vi.stubGlobal("fetch", fetch);
  return fetch;
};

const { signal } = new AbortController();

test("getLoggedPaths is one request", async () => {
  const fetch = respond({ paths: ["acc", "loss"] });
  expect(await getLoggedPaths({ run_ids: [1, 2] }, signal)).toEqual(["acc", "loss"]);
  expect(fetch).toHaveBeenCalledTimes(1);
  expect(fetch.mock.calls[0]?.[0]).toBe("/api/metrics/paths");
  expect(fetch.mock.calls[0]?.[1]).toMatchObject({ method: "POST", body: '{"run_ids":[1,2]}' });
});

test("getGroupMembers reads the groups", async () => {
  const groups = [{ value: 0.1, run_ids: [1, 2] }];
  const fetch = respond({ groups });
  expect(await getGroupMembers({ run_ids: [1, 2] }, "config.lr")).toEqual(groups);
  expect(fetch.mock.calls[0]?.[0]).toBe("/api/runs/groups");
  expect(fetch.mock.calls[0]?.[1]).toMatchObject({
    body: '{"run_ids":[1,2],"group_by":"config.lr"}',
  });
});

test("getGroupMembers returns no groups for a field that runs cannot be grouped by", async () => {
  respond({ detail: "group_by: use group, state, name or config.KEY" }, 422);
  expect(await getGroupMembers({ run_ids: [1, 2] }, "metric.loss")).toEqual([]);
});
