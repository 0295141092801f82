// A server that does not answer: the page says so, and looks whether it is back.

import { useEffect } from "preact/hooks";
import { ask, silent } from "./api";

const EVERY = 2000;

export function Silence() {
  const now = silent.value;
  useEffect(() => {
    if (!now) return;
    const timer = setInterval(() => void ask("GET", "/health").catch(() => undefined), EVERY);
    return () => clearInterval(timer);
  }, [now]);
  return now ? (
    <p class="silence" role="alert">
      The server does not answer, trying again …
    </p>
  ) : null;
}
