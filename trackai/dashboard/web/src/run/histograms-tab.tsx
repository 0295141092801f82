// The histograms of a run: how a distribution changes over the steps, and the bars of one step.

import { useEffect, useRef, useState } from "preact/hooks";
import { getHistograms } from "../api/media";
import { usePolled } from "../api/polling";
import { formatDateTime, formatNumber, formatValue } from "../ui/format";
import { LazyGrid } from "../ui/lazy-grid";
import { ErrorMessage, Loading } from "../ui/messages";
import { Stepper } from "../ui/stepper";
import { type Bins, highEdge, lowEdge, toBins } from "./histogram-data";
import { Bars, Heatmap } from "./histogram-plots";

const MAX_HISTOGRAMS = 200;
const POLL_MS = 5000;

interface Props {
  runId: number;
  paths: string[];
  running: boolean;
}

export function HistogramsTab({ runId, paths, running }: Props) {
  if (paths.length === 0) {
    return (
      <p class="empty">
        No histograms. Log some with {'run.log({"weights": trackai.Histogram(values)})'}.
      </p>
    );
  }
  return (
    <LazyGrid
      class="grid histograms"
      paths={paths}
      card={(path) => <Card key={path} runId={runId} path={path} running={running} />}
    />
  );
}

interface CardProps {
  runId: number;
  path: string;
  running: boolean;
}

/** Fetched when it is first scrolled to. */
function Card(props: CardProps) {
  const box = useRef<HTMLElement>(null);
  const [wasVisible, setWasVisible] = useState(false);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (entry?.isIntersecting) setWasVisible(true);
      },
      { rootMargin: "200px" },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return (
    <figure class="card" ref={box}>
      <figcaption title={props.path}>{props.path}</figcaption>
      {wasVisible && <HistogramSeries {...props} />}
    </figure>
  );
}

function HistogramSeries({ runId, path, running }: CardProps) {
  const { data, error } = usePolled(
    () => getHistograms(runId, path, MAX_HISTOGRAMS),
    running ? POLL_MS : 0,
    [runId, path, running],
  );
  const [selected, setSelected] = useState<number>();
  if (error && !data) return <ErrorMessage message={error} />;
  if (!data) return <Loading />;
  const histograms = data.data.flatMap((histogram) => toBins(histogram) ?? []);
  const last = histograms.length - 1;
  if (last < 0) return <p class="empty">These histograms have an unsupported format.</p>;
  // The last one unless another is selected, also when more are logged.
  const index = Math.min(selected ?? last, last);
  const bins = histograms[index] as Bins;
  const place = describePlace(bins);
  return (
    <>
      <Heatmap histograms={histograms} selected={index} onSelect={setSelected} path={path} />
      <Stepper
        label={`Step of ${path}`}
        place={place}
        index={index}
        count={histograms.length}
        note={
          data.total > histograms.length
            ? `${histograms.length} of ${data.total}`
            : `${index + 1} of ${histograms.length}`
        }
        onChange={setSelected}
      />
      <Bars bins={bins} label={`${path} at ${place}: ${describeValues(bins)}`} />
    </>
  );
}

const describePlace = ({ step, timestamp }: Bins): string =>
  step === null ? formatDateTime(Date.parse(timestamp) / 1000) : `step ${formatValue(step)}`;

function describeValues(bins: Bins): string {
  const count = bins.values.reduce((sum, value) => sum + value, 0);
  const range = `${formatNumber(lowEdge(bins))} to ${formatNumber(highEdge(bins))}`;
  return `${formatNumber(count)} ${count === 1 ? "value" : "values"} from ${range}`;
}
