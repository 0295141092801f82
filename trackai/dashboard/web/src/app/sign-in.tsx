// Signing in with the server's key or with the link that it has printed.

import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { keyNeeded, signIn, takeSignInCode } from "../api/session";
import { ErrorMessage } from "../ui/messages";

const error = signal<string | undefined>(undefined);

async function signInWithKey(key: string): Promise<void> {
  try {
    error.value = await signIn(key);
    if (!error.value) keyNeeded.value = false;
  } catch (problem) {
    error.value = String(problem);
  }
}

async function signInWithCode(code: string): Promise<void> {
  try {
    const refused = await signIn(code);
    error.value = refused && "This sign-in link has been used or has expired.";
    // There may be a session already; if there is none, the next request asks for the key again.
    keyNeeded.value = false;
  } catch (problem) {
    error.value = String(problem);
  }
}

export function SignIn() {
  const [key, setKey] = useState("");
  useEffect(() => {
    const code = takeSignInCode();
    if (code !== undefined) void signInWithCode(code);
  }, []);
  return (
    <form
      class="empty"
      onSubmit={(event) => {
        event.preventDefault();
        void signInWithKey(key);
      }}
    >
      <h1>Sign in</h1>
      <p>
        This server requires an API key: the value of TRACKAI_API_KEY, or a key of scope read or
        admin.
      </p>
      <p>
        <label>
          API key{" "}
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
      <ErrorMessage message={error.value} />
    </form>
  );
}
