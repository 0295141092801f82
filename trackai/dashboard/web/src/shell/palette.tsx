// The palette: a search over everything that has a name, and actions, for the keyboard.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { errorMessage } from "../api/client";
import { searchNames } from "../api/search";
import type { SearchHit } from "../api/types";
import { plural } from "../ui/format";
import { ErrorMessage } from "../ui/messages";
import { Modal } from "../ui/modal";
import { crumbs } from "../view/crumbs";
import { actionItems, hitItem, type PaletteItem } from "./palette-items";
import { takeTypedAhead } from "./state";

// Typing searches after a pause.
const SEARCH_DELAY_MS = 120;

interface Props {
  projectsOnly: boolean;
  onClose: () => void;
}

export function Palette({ projectsOnly, onClose }: Props) {
  const [text, setText] = useState(takeTypedAhead);
  const [selected, setSelected] = useState(0);
  const { hits, error, isSearching } = useHits(text.trim());
  const shown = projectsOnly ? hits.filter(({ kind }) => kind === "project") : hits;
  const items = [...shown.map(hitItem), ...(projectsOnly ? [] : actionItems(text.trim()))];
  const index = Math.min(selected, items.length - 1);
  const choose = (item: PaletteItem | undefined, inNewTab: boolean) => {
    if (!item) return;
    if (inNewTab && item.address) {
      open(item.address, "_blank");
      return;
    }
    onClose();
    item.run();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.isComposing) return;
    const target = targetIndex(event.key, index, items.length);
    if (target !== undefined) {
      event.preventDefault();
      setSelected(target);
    } else if (event.key === "Enter") {
      event.preventDefault();
      choose(items[index], event.ctrlKey || event.metaKey);
    }
  };
  const title = projectsOnly ? "Switch project" : "Search everything";
  const status = isSearching ? "" : plural(items.length, "result");
  return (
    <Modal title={title} class="palette" onClose={onClose}>
      <input
        type="text"
        role="combobox"
        autofocus
        aria-label={title}
        placeholder={projectsOnly ? "Project" : "Runs, projects, metrics, tags, files, actions"}
        aria-expanded="true"
        aria-controls="palette-list"
        aria-autocomplete="list"
        aria-activedescendant={items[index] && `palette-${index}`}
        autocomplete="off"
        spellcheck={false}
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setSelected(0);
        }}
        onKeyDown={onKeyDown}
      />
      <ErrorMessage message={error} />
      <Results items={items} selected={index} onSelect={setSelected} onChoose={choose} />
      {items.length === 0 && !isSearching && <p class="empty">Nothing matches.</p>}
      <p class="palette-foot">
        <span role="status">{status}</span>
        <span class="keyboard-only">
          <kbd>↑</kbd> <kbd>↓</kbd> select, <kbd>Enter</kbd> open, <kbd>Ctrl Enter</kbd> new tab
        </span>
      </p>
    </Modal>
  );
}

function targetIndex(key: string, index: number, count: number): number | undefined {
  if (count === 0) return undefined;
  if (key === "ArrowDown") return (index + 1) % count;
  if (key === "ArrowUp") return (index + count - 1) % count;
  if (key === "PageDown") return Math.min(count - 1, index + 8);
  if (key === "PageUp") return Math.max(0, index - 8);
  return undefined;
}

/** What the server finds; what was found before stays until then. */
function useHits(text: string): { hits: SearchHit[]; error: string; isSearching: boolean } {
  const [found, setFound] = useState({ hits: [] as SearchHit[], error: "", text: "\u0000" });
  useEffect(() => {
    const stop = new AbortController();
    const search = async () => {
      try {
        const hits = await searchNames(text, crumbs.peek().projectId, stop.signal);
        setFound({ hits, error: "", text });
      } catch (problem) {
        if (!stop.signal.aborted) setFound({ hits: [], error: errorMessage(problem), text });
      }
    };
    const timer = setTimeout(() => void search(), text ? SEARCH_DELAY_MS : 0);
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [text]);
  return { ...found, isSearching: found.text !== text };
}

interface ResultsProps {
  items: PaletteItem[];
  selected: number;
  onSelect: (index: number) => void;
  onChoose: (item: PaletteItem, inNewTab: boolean) => void;
}

function Results({ items, selected, onSelect, onChoose }: ResultsProps) {
  const list = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }, [selected, items.length]);
  const groups = [...new Set(items.map(({ group }) => group))];
  return (
    <div class="palette-list" id="palette-list" role="listbox" aria-label="Results" ref={list}>
      {groups.map((group) => (
        <div key={group} role="group" aria-label={group}>
          <div class="palette-group" aria-hidden="true">
            {group}
          </div>
          {items.map((item, index) =>
            item.group !== group ? null : (
              // biome-ignore lint/a11y/useKeyWithClickEvents: Enter in the input does the same
              <div
                key={item.key}
                id={`palette-${index}`}
                class="palette-item"
                role="option"
                aria-selected={index === selected}
                title={item.name}
                onPointerMove={() => onSelect(index)}
                // The input keeps the focus.
                onPointerDown={(event) => event.preventDefault()}
                onClick={(event) => onChoose(item, event.ctrlKey || event.metaKey)}
              >
                <span class="palette-name">{item.name}</span>
                {item.detail && <span class="faint">{item.detail}</span>}
              </div>
            ),
          )}
        </div>
      ))}
    </div>
  );
}
