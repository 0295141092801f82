// A chart on its card, fetched and drawn only while it is on screen or near it.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { ExportMenu } from "./export-menu";
import { openFullScreen } from "./full-screen-history";
import { HiddenValues } from "./hidden-values";
import { type ChartProps, Plot } from "./plot";
import { type DrawnChart, describeHidden } from "./y-range";
import { YRangeForm } from "./y-range-form";

const HEIGHT = 210;
// Cards that are this close to the screen are drawn, in pixels.
const MARGIN = 200;

interface Props extends ChartProps {
  height?: number;
  /** What the address names while the chart fills the screen; by default its metric. */
  full?: string;
}

// One observer for all cards.
const callbacks = new Map<Element, (visible: boolean) => void>();
const observer = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) callbacks.get(entry.target)?.(entry.isIntersecting);
  },
  { rootMargin: `${MARGIN}px` },
);

/** What the observer says in the next frame: the first charts need not wait for it. */
function isNearScreen(element: Element): boolean {
  const { top, bottom, width } = element.getBoundingClientRect();
  return width > 0 && bottom > -MARGIN && top < innerHeight + MARGIN;
}

export function Card({ height = HEIGHT, full, ...props }: Props) {
  const box = useRef<HTMLElement>(null);
  const drawn = useRef<DrawnChart>();
  const [isVisible, setVisible] = useState(false);
  const [hiddenValues, setHiddenValues] = useState("");
  // Until it is scrolled to, a card is only a frame with a name.
  const wasVisible = useRef(false);
  wasVisible.current ||= isVisible;
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    setVisible(isNearScreen(element));
    callbacks.set(element, setVisible);
    observer.observe(element);
    return () => {
      observer.unobserve(element);
      callbacks.delete(element);
    };
  }, []);
  const onDrawn = (chart: DrawnChart) => {
    drawn.current = chart;
    setHiddenValues(describeHidden(chart.yRange, chart.allLines));
  };
  return (
    <figure class="card chart" ref={box}>
      <header>
        <figcaption title={props.path}>{props.path}</figcaption>
        <HiddenValues text={hiddenValues} />
        {wasVisible.current && <YRangeForm path={props.path} />}
        <button
          type="button"
          class="quiet"
          aria-label={`Full screen: ${props.path}`}
          title="Full screen"
          onClick={() => openFullScreen(full ?? props.path)}
        >
          ⤢
        </button>
        {wasVisible.current && <ExportMenu {...props} drawn={drawn} />}
      </header>
      {wasVisible.current && <Plot {...props} live={isVisible} height={height} onDrawn={onDrawn} />}
    </figure>
  );
}
