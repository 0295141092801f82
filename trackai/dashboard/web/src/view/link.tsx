// Links within the dashboard.

import type { JSX } from "preact";
import { changedAddress, go, pageAddress } from "./address";
import type { Change } from "./parsing";

interface Props extends Omit<JSX.HTMLAttributes<HTMLAnchorElement>, "href" | "onClick"> {
  to: Change;
  /** Keep the other parameters of the address. */
  keep?: boolean;
}

/** A plain click changes the page in place; any other click does what the browser does. */
export function Link({ to, keep = false, children, ...attributes }: Props) {
  const follow = (event: MouseEvent) => {
    if (event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    go(to, { keep });
  };
  const href = keep ? changedAddress(to) : pageAddress(to);
  return (
    <a href={href} {...attributes} onClick={follow}>
      {children}
    </a>
  );
}
