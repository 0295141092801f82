import { afterEach, describe, expect, test, vi } from "vitest";
import {
  ApiError,
  errorMessage,
  get,
  isNotFound,
  prefetch,
  queryString,
  request,
  UnreachableError,
  unreachable,
} from "../../src/api/client";
import { keyNeeded } from "../../src/api/session";

const respond = (body: unknown, status = 200) => {
  const fetch = vi.fn(async (_path: string, _options?: RequestInit) =>
    Response.json(body, { status }),
  );
  vi.stubGlobal("fetch", fetch);
  return fetch;
};

afterEach(() => {
  keyNeeded.value = false;
  unreachable.value = false;
});

test("queryString leaves out empty values", () => {
  expect(queryString({ a: 1, b: "", c: undefined, d: "x y", e: 0 })).toBe("a=1&d=x+y&e=0");
});

describe("request", () => {
  test("sends and reads JSON", async () => {
    const fetch = respond({ id: 3 });
    expect(await request("POST", "/api/runs", { name: "x" })).toEqual({ id: 3 });
    expect(fetch.mock.calls[0]?.[1]).toMatchObject({ method: "POST", body: '{"name":"x"}' });
  });

  test("reads integers that a number cannot hold", async () => {
    vi.stubGlobal("fetch", async () => new Response('{"seed": 9223372036854775807}'));
    expect(await get("/api/runs/1/config")).toEqual({ seed: 9223372036854775807n });
  });

  test("throws the message of the server", async () => {
    respond({ detail: "run 3 not found" }, 404);
    const problem = await get("/api/runs/3").catch((error: unknown) => error);
    expect(problem).toBeInstanceOf(ApiError);
    expect(errorMessage(problem)).toBe("run 3 not found");
    expect(isNotFound(problem)).toBe(true);
  });

  test("asks for the key", async () => {
    respond({ detail: "key" }, 401);
    await expect(get("/api/runs")).rejects.toThrow("key");
    expect(keyNeeded.value).toBe(true);
  });

  test("notices an unreachable server and its return", async () => {
    vi.stubGlobal("fetch", async () => {
      throw new TypeError("Failed to fetch");
    });
    const problem = await get("/health").catch((error: unknown) => error);
    expect(problem).toBeInstanceOf(UnreachableError);
    expect(errorMessage(problem)).toBe("");
    expect(unreachable.value).toBe(true);
    respond({});
    await get("/health");
    expect(unreachable.value).toBe(false);
  });

  test("an aborted request does not make the server unreachable", async () => {
    vi.stubGlobal("fetch", async () => {
      throw new DOMException("aborted", "AbortError");
    });
    await expect(get("/health")).rejects.toThrow("aborted");
    expect(unreachable.value).toBe(false);
  });

  test("uses a prefetched response once", async () => {
    const fetch = respond({ id: 1 });
    prefetch("/api/runs/1");
    expect(await get("/api/runs/1")).toEqual({ id: 1 });
    expect(fetch).toHaveBeenCalledTimes(1);
    await get("/api/runs/1");
    expect(fetch).toHaveBeenCalledTimes(2);
  });
});
