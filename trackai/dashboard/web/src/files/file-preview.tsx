// The content of a file: media, a page, a figure, a table, a 3D file, or text as the server renders
// it. What draws figures, charts and 3D files is loaded with the first of them.

import type { Signal } from "@preact/signals";
import { useEffect, useMemo, useState } from "preact/hooks";
import { fileUrl, pageUrl, previewUrl } from "../api/media";
import type { FileRecord } from "../api/types";
import { chartKind } from "../plots/chart-table";
import type { Camera } from "../solid/camera";
import { useModule } from "../ui/lazy-module";
import { Markdown } from "../ui/markdown";
import { ErrorMessage, Loading } from "../ui/messages";
import { figureLibrary, SOLID_NAME, TABLE_NAME } from "./file-names";
import { type MediaKind, mediaKind } from "./media-kind";
import { parseTable, type TableData } from "./table-file";
import { TableView } from "./table-view";

const PAGE_NAME = /\.html?$/i;
const MARKDOWN_NAME = /\.(md|markdown)$/i;
// Larger tables are shown as the text that they begin with, in bytes.
const MAX_TABLE_SIZE = 50_000_000;
// What the server sends of a text, in characters: a longer one is cut off.
const MAX_TEXT = 200_000;
// Smaller images are enlarged without smoothing.
const SMALL_WIDTH = 100;

interface Props {
  file: FileRecord;
  runId: number;
  label: string;
  /** The view of 3D files, if it is shared. */
  camera?: Signal<Camera>;
}

export function FilePreview({ file, runId, label, camera }: Props) {
  // Files that their names do not fit are shown as text.
  const [textFile, setTextFile] = useState<number>();
  const isText = textFile === file.id;
  const has = (kind: MediaKind) => !isText && mediaKind(file.name) === kind;
  const attributes = {
    class: "look",
    src: previewUrl(file.id),
    onError: () => setTextFile(file.id),
  };
  if (has("audio")) return <audio {...attributes} controls preload="metadata" aria-label={label} />;
  if (has("video")) return <video {...attributes} controls preload="metadata" aria-label={label} />;
  if (PAGE_NAME.test(file.name)) return <PagePreview file={file} label={label} />;
  if (SOLID_NAME.test(file.name)) return <SolidPreview file={file} label={label} camera={camera} />;
  const library = figureLibrary(file.name);
  if (library) return <FigurePreview library={library} file={file} label={label} />;
  if (!has("image")) return <TextPreview file={file} runId={runId} label={label} />;
  return (
    <img
      {...attributes}
      loading="lazy"
      alt={label}
      onLoad={({ currentTarget }) =>
        currentTarget.classList.toggle("tiny", currentTarget.naturalWidth < SMALL_WIDTH)
      }
    />
  );
}

const loadFigures = () => import("./figure-frame");
const loadSolids = () => import("./solid-preview");
const loadCharts = () => import("../plots/table-chart");

interface LabelledFile {
  file: FileRecord;
  label: string;
}

function FigurePreview(props: LabelledFile & { library: "plotly" | "vega" }) {
  const { module, error } = useModule(loadFigures);
  if (!module) return error ? <ErrorMessage message={error} /> : <Loading />;
  return <module.FigureFrame {...props} />;
}

function SolidPreview(props: LabelledFile & { camera: Signal<Camera> | undefined }) {
  const { module, error } = useModule(loadSolids);
  if (!module) return error ? <ErrorMessage message={error} /> : <Loading />;
  return <module.SolidPreview {...props} />;
}

function TablePreview({ table, file, runId, label }: TextProps & { table: TableData }) {
  if (chartKind(table) === undefined) return <TableView table={table} file={file} runId={runId} />;
  return (
    <>
      <ChartOfTable table={table} label={label} />
      <details class="data">
        <summary>Table</summary>
        <TableView table={table} file={file} runId={runId} />
      </details>
    </>
  );
}

function ChartOfTable({ table, label }: { table: TableData; label: string }) {
  const { module, error } = useModule(loadCharts);
  if (!module) return error ? <ErrorMessage message={error} /> : <Loading />;
  return <module.TableChart tables={[{ table }]} label={label} />;
}

// Scripts of a page that are elsewhere, such as those of a figure of Plotly or Bokeh.
const FOREIGN_SCRIPT = /<script[^>]+src\s*=\s*["']?(https?:\/\/[^"'\s>]+)/i;

function PagePreview({ file, label }: LabelledFile) {
  const text = useText(previewUrl(file.id));
  const [, script] = FOREIGN_SCRIPT.exec(text ?? "") ?? [];
  return (
    <>
      <iframe class="look" sandbox="" src={pageUrl(file.id)} title={label} />
      <p class="faint">Scripts and links to other sites do not work here.</p>
      {script && (
        <p class="problem">
          This page needs {script}, which is not loaded. To see a figure of Plotly or Altair here,
          log the figure itself.
        </p>
      )}
    </>
  );
}

interface TextProps extends LabelledFile {
  runId: number;
}

function TextPreview({ file, runId, label }: TextProps) {
  const isTable = TABLE_NAME.test(file.name) && (file.size ?? 0) <= MAX_TABLE_SIZE;
  // Only the whole file of a table is valid JSON.
  const text = useText(isTable ? fileUrl(file.id) : previewUrl(file.id));
  const table = useMemo(() => (isTable && text ? parseTable(text) : undefined), [isTable, text]);
  if (text === undefined) return <Loading />;
  if (text === "") return <p class="empty">This file is empty.</p>;
  if (table) return <TablePreview table={table} file={file} runId={runId} label={label} />;
  if (MARKDOWN_NAME.test(file.name)) return <Markdown text={text} />;
  return (
    <pre class="look" tabIndex={0}>
      {text.slice(0, MAX_TEXT)}
    </pre>
  );
}

function useText(url: string): string | undefined {
  const [text, setText] = useState<string>();
  useEffect(() => {
    const stop = new AbortController();
    fetch(url, { signal: stop.signal })
      .then((response) => response.text())
      .then(setText, (problem: unknown) => stop.signal.aborted || setText(String(problem)));
    return () => stop.abort();
  }, [url]);
  return text;
}
