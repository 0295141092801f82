// The menu that downloads a chart as an image or as CSV.

import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { fetchNames, nameOf } from "../api/run-names";
import { fileName, saveFile } from "../ui/download";
import { errorText } from "../ui/errors";
import { loadModule, usePreloaded } from "../ui/lazy-module";
import { usePopover } from "../ui/popover";
import type { ChartProps } from "./plot";
import type { DrawnChart } from "./y-range";

// They are not in the scripts of the first chart.
const csv = () => import("./csv");
const svg = () => import("./svg");

export const useExports = (): void => usePreloaded(csv, svg);

type Props = ChartProps & { drawn: RefObject<DrawnChart | undefined> };

export function ExportMenu({ path, series, chosen, names, drawn }: Props) {
  const [popover, close] = usePopover();
  const [status, setStatus] = useState("");
  const abort = useRef<AbortController>();
  useEffect(() => () => abort.current?.abort(), []);

  const saving = (save: (chart: DrawnChart) => Promise<void> | void) => async () => {
    close(true);
    if (!drawn.current) return setStatus("The chart is not drawn yet.");
    try {
      setStatus("");
      await save(drawn.current);
    } catch (problem) {
      if (!abort.current?.signal.aborted) setStatus(errorText(problem));
    }
  };
  const saveText = (
    extension: string,
    type: string,
    content: (chart: DrawnChart) => Promise<string>,
  ) =>
    saving(async (chart) =>
      saveFile(fileName(path, extension), new Blob([await content(chart)], { type })),
    );
  const savePoints = saving(async () => {
    abort.current = new AbortController();
    // Also of runs that only a mean is drawn of.
    await fetchNames(chosen);
    const runs = chosen.map((id) => ({ id, name: names.get(id) ?? nameOf(id) }));
    const showProgress = (points: number) => setStatus(`${points} points…`);
    const paths = series?.metrics ?? [path];
    const { allPointsCsv } = await loadModule(csv);
    const text = await allPointsCsv(paths, runs, showProgress, abort.current.signal);
    saveFile(fileName(path, "points.csv"), text);
    setStatus("");
  });
  const actions = {
    "PNG image": saving(async (chart) =>
      saveFile(fileName(path, "png"), await (await loadModule(svg)).chartPng(path, chart)),
    ),
    "SVG image": saveText("svg", "image/svg+xml", async (chart) =>
      (await loadModule(svg)).chartSvg(path, chart),
    ),
    "CSV (as drawn)": saveText("csv", "text/csv", async (chart) =>
      (await loadModule(csv)).drawnCsv(chart),
    ),
    "CSV (all points)": savePoints,
  };
  return (
    <>
      {status && <output class="said">{status}</output>}
      <details class="more" {...popover}>
        <summary class="quiet" aria-label={`Download ${path}`} title="Download">
          ⤓
        </summary>
        <div class="menu">
          {Object.entries(actions).map(([name, action]) => (
            <button key={name} type="button" onClick={action}>
              {name}
            </button>
          ))}
        </div>
      </details>
    </>
  );
}
