// Requests to the HTTP API, and their errors.

import { signal } from "@preact/signals";
import { errorText } from "../ui/errors";
import { parseJson, toJson } from "../ui/json";
import { keyNeeded } from "./session";

/** The server answered with an error status. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/** The server did not answer: it is stopped, or the network is down. */
export class UnreachableError extends Error {}

/** Whether the last request failed to reach the server. */
export const unreachable = signal(false);

const prefetched = new Map<string, Promise<Response>>();

/** Start GET requests before the page is rendered; `request` uses their responses. */
export function prefetch(...paths: string[]): void {
  for (const path of paths) {
    const response = fetch(path);
    // The error is reported by the `request` that uses the response.
    response.catch(() => undefined);
    prefetched.set(path, response);
  }
}

export async function request<T>(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<T> {
  const started = method === "GET" ? prefetched.get(path) : undefined;
  prefetched.delete(path);
  const response = await reach(
    started ??
      fetch(path, {
        method,
        signal,
        headers: body === undefined ? {} : { "Content-Type": "application/json" },
        body: body === undefined ? undefined : toJson(body),
      }),
  );
  const answer = parseJson(await response.text()) as T & { detail?: string };
  if (response.status === 401) keyNeeded.value = true;
  if (!response.ok) throw new ApiError(answer.detail ?? response.statusText, response.status);
  return answer;
}

export const get = <T>(path: string, signal?: AbortSignal): Promise<T> =>
  request("GET", path, undefined, signal);

async function reach(pending: Promise<Response>): Promise<Response> {
  try {
    const response = await pending;
    unreachable.value = false;
    return response;
  } catch (problem) {
    // Browsers throw a TypeError for network errors, and something else for aborted requests.
    if (!(problem instanceof TypeError)) throw problem;
    unreachable.value = true;
    throw new UnreachableError("Cannot reach the server");
  }
}

/** The message of an error; empty for an unreachable server, which has a banner of its own. */
export const errorMessage = (problem: unknown): string =>
  problem instanceof UnreachableError ? "" : errorText(problem);

export const isNotFound = (problem: unknown): boolean =>
  problem instanceof ApiError && problem.status === 404;

/** A query string without the empty parameters. */
export function queryString(values: Record<string, string | number | undefined>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== "") params.set(name, String(value));
  }
  return params.toString();
}
