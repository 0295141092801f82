// The sections of charts. Only what is on screen or near it is in the document.

import type { ComponentChild, RefObject } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { replaceParameters } from "../view/address";
import { closedSections, openedSections } from "../view/parameters";
import { printList } from "../view/parsing";
import { columnsOf, type PlacedSection, type Sizes, visibleSections } from "./section-layout";
import { openSections, type Section, sectionTree } from "./section-tree";

// As in the style sheet.
const HEADER = 32;
const CARD = 258;
const GAP = 12;
const MIN_WIDTH = 320;
const NARROW = "(max-width: 820px)";
const NARROW_CARD = 268;
// What is rendered above and below the screen.
const MARGIN = 700;
// The visible part is measured in steps of this size: most scroll events change nothing.
const STEP = 200;

interface Props {
  paths: string[];
  card: (path: string) => ComponentChild;
}

export function SectionList({ paths, card }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const tree = useMemo(() => sectionTree(paths), [paths.join("\u0000")]);
  const { top, bottom, sizes } = useVisiblePart(box);
  const shown = openSections(tree, isSectionOpen);
  const cards = shown.map(({ section, isOpen }) => (isOpen ? section.paths.length : 0));
  const { sections, above, below } = visibleSections(cards, sizes, top, bottom);
  return (
    <div class="sections" ref={box}>
      <div class="rest" style={{ height: `${above}px` }} />
      {sections.map((placed) => {
        const { section, isOpen } = shown[placed.index] as (typeof shown)[number];
        return (
          <SectionView key={section.key} section={section} isOpen={isOpen}>
            {placed.rows > 0 && (
              <Rows section={section} placed={placed} sizes={sizes} card={card} />
            )}
          </SectionView>
        );
      })}
      <div class="rest" style={{ height: `${below}px` }} />
    </div>
  );
}

const isSectionOpen = ({ key, isOpen }: Section): boolean =>
  isOpen ? !closedSections.value.includes(key) : openedSections.value.includes(key);

function setSectionOpen({ key, isOpen }: Section, open: boolean): void {
  const without = (keys: string[]) => keys.filter((other) => other !== key);
  const [closed, opened] = [without(closedSections.value), without(openedSections.value)];
  if (open && !isOpen) opened.push(key);
  if (!open && isOpen) closed.push(key);
  replaceParameters({ closed: printList(closed), opened: printList(opened) });
}

interface SectionProps {
  section: Section;
  isOpen: boolean;
  children: ComponentChild;
}

const SectionView = ({ section, isOpen, children }: SectionProps) => (
  <details
    class={`section depth-${Math.min(section.depth, 3)}`}
    open={isOpen}
    onToggle={(event) => {
      const { open } = event.currentTarget;
      if (open !== isSectionOpen(section)) setSectionOpen(section, open);
    }}
  >
    <summary title={section.key}>
      {section.name} <small>{section.count}</small>
    </summary>
    {isOpen && children}
  </details>
);

interface RowsProps extends Pick<Props, "card"> {
  section: Section;
  placed: PlacedSection;
  sizes: Sizes;
}

function Rows({ section, placed: { first, end, rows }, sizes, card }: RowsProps) {
  const { paths } = section;
  // A few cards fill the row; a single one is as wide as one of several.
  const columns = paths.length === 1 ? sizes.columns : Math.min(paths.length, sizes.columns);
  return (
    <div
      class="grid"
      style={{
        gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`,
        gridAutoRows: `${sizes.row - GAP}px`,
        paddingTop: `${first * sizes.row}px`,
        // With a gap below the last row, rows are equally high.
        paddingBottom: `${(rows - end) * sizes.row + (end > first ? GAP : 0)}px`,
      }}
    >
      {paths.slice(first * sizes.columns, end * sizes.columns).map(card)}
    </div>
  );
}

interface VisiblePart {
  /** The heights of the list between which to render, in pixels. */
  top: number;
  bottom: number;
  sizes: Sizes;
}

/** Follow which part of a list is on screen, whatever scrolls: the list or the page around it. */
function useVisiblePart(box: RefObject<HTMLElement>): VisiblePart {
  const [part, setPart] = useState<VisiblePart>(() => measure(undefined));
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const update = () => {
      const next = measure(element);
      setPart((before) => (isEqual(before, next) ? before : next));
    };
    update();
    // Scroll events do not bubble, but they are captured.
    document.addEventListener("scroll", update, { capture: true, passive: true });
    addEventListener("resize", update);
    const observer = new ResizeObserver(update);
    observer.observe(element);
    return () => {
      document.removeEventListener("scroll", update, { capture: true });
      removeEventListener("resize", update);
      observer.disconnect();
    };
  }, []);
  return part;
}

function measure(element: HTMLElement | undefined): VisiblePart {
  const { top, width } = element?.getBoundingClientRect() ?? { top: 0, width: 3 * MIN_WIDTH };
  const isNarrow = matchMedia(NARROW).matches;
  return {
    top: Math.floor((-top - MARGIN) / STEP) * STEP,
    bottom: Math.ceil((innerHeight - top + MARGIN) / STEP) * STEP,
    sizes: {
      columns: isNarrow ? 1 : columnsOf(width, MIN_WIDTH, GAP),
      header: HEADER,
      row: GAP + (isNarrow ? NARROW_CARD : CARD),
    },
  };
}

const isEqual = (left: VisiblePart, right: VisiblePart): boolean =>
  left.top === right.top &&
  left.bottom === right.bottom &&
  left.sizes.columns === right.sizes.columns &&
  left.sizes.row === right.sizes.row;
