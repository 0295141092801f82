// Tabs: one of several views of the same thing, chosen in the address.

import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";

export interface Tab {
  id: string;
  name: string;
  count?: number;
}

export function Tabs({
  tabs,
  at,
  onGo,
  children,
}: {
  tabs: Tab[];
  at: string;
  onGo: (id: string) => void;
  children: ComponentChildren;
}) {
  const list = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent) => {
    const now = tabs.findIndex((one) => one.id === at);
    const next = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: tabs.length - 1 }[
      event.key
    ];
    if (next === undefined) return;
    event.preventDefault();
    const tab = tabs[(next + tabs.length) % tabs.length];
    if (!tab) return;
    onGo(tab.id);
    list.current?.querySelector<HTMLElement>(`#tab-${tab.id}`)?.focus();
  };
  return (
    <div class="tabbed">
      <div class="tabs" role="tablist" ref={list} onKeyDown={move}>
        {tabs.map((tab) => (
          <button
            key={tab.id}
            id={`tab-${tab.id}`}
            type="button"
            role="tab"
            aria-selected={tab.id === at}
            aria-controls="tab-panel"
            tabIndex={tab.id === at ? 0 : -1}
            onClick={() => onGo(tab.id)}
          >
            {tab.name} {tab.count !== undefined && <small>{tab.count}</small>}
          </button>
        ))}
      </div>
      <div class="panel" id="tab-panel" role="tabpanel" aria-labelledby={`tab-${at}`}>
        {children}
      </div>
    </div>
  );
}
