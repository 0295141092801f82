// The charts of chosen runs, in sections by the first part of their names.

import { useEffect, useRef, useState } from "preact/hooks";
import { Plot } from "./plot";
import { go, logScale, metricSearch, smoothing, xAxis } from "./view";

interface Props {
  runIds: number[];
  names: Map<number, string>;
  paths: string[] | undefined;
}

export function Charts({ runIds, names, paths }: Props) {
  const wanted = matching(paths ?? [], metricSearch.value);
  const sections = new Map<string, string[]>();
  for (const path of wanted) {
    const prefix = path.includes("/") ? path.slice(0, path.indexOf("/")) : "";
    sections.set(prefix, [...(sections.get(prefix) ?? []), path]);
  }
  return (
    <section class="charts" aria-label="Charts">
      <Tools />
      {paths && paths.length === 0 && <p class="empty">No metrics yet: log some with run.log({"{"}"loss": 0.5{"}"}).</p>}
      {runIds.length === 0 && <p class="empty">Choose runs to see their charts.</p>}
      {runIds.length > 0 && [...sections].map(([prefix, members]) => (
        <details open key={prefix} class="section">
          <summary>{prefix || "metrics"} <small>{members.length}</small></summary>
          <div class="grid">
            {members.map((path) => <Card key={path} path={path} runIds={runIds} names={names} />)}
          </div>
        </details>
      ))}
    </section>
  );
}

/** The names that match a regular expression, or hold the text if it is none. */
function matching(paths: string[], search: string): string[] {
  if (!search) return paths;
  try {
    const pattern = new RegExp(search, "i");
    return paths.filter((path) => pattern.test(path));
  } catch {
    return paths.filter((path) => path.includes(search));
  }
}

function Tools() {
  return (
    <form class="tools" onSubmit={(event) => event.preventDefault()}>
      <input type="search" aria-label="Search metrics" placeholder="Search metrics (regex)" value={metricSearch.value}
        onInput={(event) => go({ metrics: event.currentTarget.value }, { replace: true })} />
      <label>
        x
        <select value={xAxis.value} onChange={(event) => go({ x: event.currentTarget.value }, { replace: true })}>
          <option value="step">step</option>
          <option value="relative">relative time</option>
          <option value="time">time</option>
        </select>
      </label>
      <label>
        Smoothing
        <input type="range" min="0" max="0.99" step="0.01" value={smoothing.value}
          onInput={(event) => go({ smooth: event.currentTarget.value }, { replace: true })} />
      </label>
      <label>
        <input type="checkbox" checked={logScale.value}
          onChange={(event) => go({ scale: event.currentTarget.checked ? "log" : undefined }, { replace: true })} />
        log y
      </label>
    </form>
  );
}

/** A chart that is fetched and drawn only while it is (nearly) on screen. */
function Card({ path, runIds, names }: { path: string; runIds: number[]; names: Map<number, string> }) {
  const box = useRef<HTMLElement>(null);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const watch = new IntersectionObserver(([entry]) => setSeen(entry?.isIntersecting ?? false), { rootMargin: "200px" });
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  return (
    <figure class="card" ref={box}>
      <figcaption title={path}>{path}</figcaption>
      <Plot path={path} runIds={runIds} names={names} live={seen} />
    </figure>
  );
}
