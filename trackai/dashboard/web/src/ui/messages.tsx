// What a page shows in place of data that is loading, missing or failed.

import type { ComponentChildren } from "preact";

export const Loading = () => <p class="empty">Loading…</p>;

/** An error in place of the whole part of a page. */
export const PageError = ({ children }: { children: ComponentChildren }) => (
  <p class="empty" role="alert">
    {children}
  </p>
);

export const ReloadButton = () => (
  <button type="button" onClick={() => location.reload()}>
    Reload
  </button>
);

/** An error beside data that is still shown; renders nothing without a message. */
export const ErrorMessage = ({ message, id }: { message: string | undefined; id?: string }) =>
  message ? (
    <p class="problem" role="alert" id={id}>
      {message}
    </p>
  ) : null;

export const missingRunsText = (count: number): string =>
  count === 1
    ? "1 of the selected runs was not found. It may have been deleted."
    : `${count} of the selected runs were not found. They may have been deleted.`;
