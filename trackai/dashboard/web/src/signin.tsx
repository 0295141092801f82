// Signing in to a server that has a key: by the link that it has printed, or by the key itself.

import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";

const CODE = "#code=";

/** Whether the server has asked for a key, or a link brings one. */
export const keyNeeded = signal(location.hash.startsWith(CODE));
const problem = signal<string | undefined>(undefined);

/** What is wrong; nothing if there is a session now. */
async function signIn(key: string): Promise<string | undefined> {
  const response = await fetch("/api/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ key }),
  });
  return response.ok ? undefined : ((await response.json()).detail ?? response.statusText);
}

export function SignIn() {
  const [key, setKey] = useState("");
  const enter = async (given: string, otherwise?: string) => {
    try {
      const wrong = await signIn(given);
      problem.value = wrong && (otherwise ?? wrong);
      // With a link that is used up, whoever has a session goes on; anybody else is asked again.
      if (!wrong || otherwise) keyNeeded.value = false;
    } catch (error) {
      problem.value = String(error);
    }
  };
  useEffect(() => {
    if (!location.hash.startsWith(CODE)) return;
    const code = location.hash.slice(CODE.length);
    // Not to be found in the history, nor sent on with a copied address.
    history.replaceState(null, "", location.pathname + location.search);
    void enter(code, "This link has been used, or is too old.");
  }, []);
  return (
    <form
      class="empty"
      onSubmit={(event) => {
        event.preventDefault();
        void enter(key);
      }}
    >
      <h1>Sign in</h1>
      <p>This server asks for its key, the value of TRACKAI_API_KEY.</p>
      <p>
        <label>
          Key{" "}
          <input
            type="password"
            name="key"
            autocomplete="current-password"
            required
            value={key}
            onInput={(event) => setKey(event.currentTarget.value)}
          />
        </label>{" "}
        <button type="submit">Sign in</button>
      </p>
      {problem.value && (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      )}
    </form>
  );
}
