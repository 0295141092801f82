// A banner while the server is unreachable, with the requests that notice its return, and one when
// a script could not be loaded.

import { useEffect } from "preact/hooks";
import { get, unreachable } from "../api/client";
import { failedLoad } from "../ui/lazy-module";
import { ReloadButton } from "../ui/messages";

const RETRY_MS = 2000;

export function ConnectionBanner() {
  const shown = unreachable.value;
  useEffect(() => {
    if (!shown) return;
    const timer = setInterval(() => void get("/health").catch(() => undefined), RETRY_MS);
    return () => clearInterval(timer);
  }, [shown]);
  if (shown) {
    return (
      <p class="silence" role="alert">
        Cannot reach the server. Retrying…
      </p>
    );
  }
  return failedLoad.value ? (
    <p class="silence" role="alert">
      A part of the page could not be loaded. The server may have been upgraded. <ReloadButton />
    </p>
  ) : null;
}
