// What is not on screen yet, and need not be fetched.

import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";

/** Whether an element is or has been on screen, or near it. */
export function useSeen(box: RefObject<HTMLElement>): boolean {
  const [wasSeen, setSeen] = useState(false);
  useEffect(() => {
    const element = box.current;
    if (!element || wasSeen) return;
    const observer = new IntersectionObserver(
      (entries) => {
        if (entries.some((entry) => entry.isIntersecting)) setSeen(true);
      },
      { rootMargin: "200px" },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, [wasSeen]);
  return wasSeen;
}
