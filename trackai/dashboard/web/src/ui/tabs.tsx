// A tab list and the panel of the selected tab.

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

export interface Tab {
  id: string;
  name: string;
  count?: number;
}

interface Props {
  tabs: Tab[];
  selected: string;
  onSelect: (id: string) => void;
  children: ComponentChildren;
}

export function Tabs({ tabs, selected, onSelect, children }: Props) {
  const list = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    if (!list.current) return;
    // It also calls once after the layout of this frame, before anything is painted.
    const observer = new ResizeObserver(() => showTab(list.current, selected));
    observer.observe(list.current);
    return () => observer.disconnect();
  }, [selected, tabs.map(nameOf).join()]);
  const moveFocus = (event: KeyboardEvent) => {
    const index = tabs.findIndex((tab) => tab.id === selected);
    const target = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: tabs.length - 1 }[
      event.key
    ];
    if (target === undefined) return;
    event.preventDefault();
    const tab = tabs[(target + tabs.length) % tabs.length];
    if (!tab) return;
    onSelect(tab.id);
    list.current?.querySelector<HTMLElement>(`#tab-${tab.id}`)?.focus();
  };
  return (
    <div class="tabbed">
      <div class="tabs" role="tablist" ref={list} onKeyDown={moveFocus}>
        {tabs.map((tab) => (
          <button
            key={tab.id}
            id={`tab-${tab.id}`}
            type="button"
            role="tab"
            aria-selected={tab.id === selected}
            aria-controls="tab-panel"
            tabIndex={tab.id === selected ? 0 : -1}
            onClick={() => onSelect(tab.id)}
          >
            {tab.name} {tab.count !== undefined && <small>{tab.count}</small>}
          </button>
        ))}
      </div>
      <div class="panel" id="tab-panel" role="tabpanel" aria-labelledby={`tab-${selected}`}>
        {children}
      </div>
    </div>
  );
}

// A part of the next tab stays visible.
const MARGIN = 12;

const nameOf = ({ name, count }: Tab): string => `${name} ${count ?? ""}`;

/** Scroll a narrow list to a tab, and leave the page where it is. */
function showTab(list: HTMLElement | null, id: string): void {
  const tab = list?.querySelector(`#tab-${id}`)?.getBoundingClientRect();
  if (!list || !tab) return;
  const box = list.getBoundingClientRect();
  if (tab.left < box.left) list.scrollLeft += tab.left - box.left - MARGIN;
  else if (tab.right > box.right) list.scrollLeft += tab.right - box.right + MARGIN;
}
