// Sessions of a server that requires a key: opened with the key or with a sign-in link.

import { signal } from "@preact/signals";

const PATH = "/api/session";
const CODE_PREFIX = "#code=";

/** Whether the server has asked for a key, or the address is a sign-in link. */
export const keyNeeded = signal(false);

/** Whether the key of the session allows changes; a key of scope read does not. */
export const mayChange = signal(true);

/** Ask the server what the key of the session allows. */
export async function loadScope(): Promise<void> {
  try {
    const response = await fetch(PATH);
    if (response.ok) mayChange.value = (await response.json()).scope === "admin";
  } catch {
    // Other requests report a server that is unreachable, and it refuses changes by itself.
  }
}

export function detectSignInLink(): void {
  if (location.hash.startsWith(CODE_PREFIX)) keyNeeded.value = true;
}

/** Take the code of a sign-in link out of the address, so that it is not shared or stored. */
export function takeSignInCode(): string | undefined {
  if (!location.hash.startsWith(CODE_PREFIX)) return undefined;
  const code = location.hash.slice(CODE_PREFIX.length);
  history.replaceState(null, "", location.pathname + location.search);
  return code;
}

/** Open a session; returns the error message, or undefined on success. */
export async function signIn(key: string): Promise<string | undefined> {
  const response = await fetch(PATH, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ key }),
  });
  return response.ok ? undefined : ((await response.json()).detail ?? response.statusText);
}
