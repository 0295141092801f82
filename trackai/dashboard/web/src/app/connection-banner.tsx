// A banner while the server is unreachable, and the requests that notice its return.

import { useEffect } from "preact/hooks";
import { get, unreachable } from "../api/client";

const RETRY_MS = 2000;

export function ConnectionBanner() {
  const shown = unreachable.value;
  useEffect(() => {
    if (!shown) return;
    const timer = setInterval(() => void get("/health").catch(() => undefined), RETRY_MS);
    return () => clearInterval(timer);
  }, [shown]);
  return shown ? (
    <p class="silence" role="alert">
      Cannot reach the server. Retrying…
    </p>
  ) : null;
}
