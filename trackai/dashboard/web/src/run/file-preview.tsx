// The content of a file: media, a page, a table, or text as the server renders it.

import { useEffect, useMemo, useState } from "preact/hooks";
import { fileUrl, pageUrl, previewUrl } from "../api/media";
import type { FileRecord } from "../api/types";
import { Markdown } from "../ui/markdown";
import { Loading } from "../ui/messages";
import { type MediaKind, mediaKind } from "./media-kind";
import { parseTable } from "./table-file";
import { TableView } from "./table-view";

const TABLE_NAME = /\.table\.json$/i;
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
}

export function FilePreview({ file, runId, label }: Props) {
  // Files that their names do not fit are shown as text.
  const [isText, setIsText] = useState(false);
  const has = (kind: MediaKind) => !isText && mediaKind(file.name) === kind;
  const attributes = {
    class: "look",
    src: previewUrl(file.id),
    onError: () => setIsText(true),
  };
  if (has("audio")) return <audio {...attributes} controls preload="metadata" aria-label={label} />;
  if (has("video")) return <video {...attributes} controls preload="metadata" aria-label={label} />;
  if (PAGE_NAME.test(file.name)) return <PagePreview file={file} label={label} />;
  if (!has("image")) return <TextPreview file={file} runId={runId} />;
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

const PagePreview = ({ file, label }: { file: FileRecord; label: string }) => (
  <>
    <iframe class="look" sandbox="" src={pageUrl(file.id)} title={label} />
    <p class="faint">Scripts and links to other sites do not work here.</p>
  </>
);

interface TextProps {
  file: FileRecord;
  runId: number;
}

function TextPreview({ file, runId }: TextProps) {
  const isTable = TABLE_NAME.test(file.name) && (file.size ?? 0) <= MAX_TABLE_SIZE;
  // Only the whole file of a table is valid JSON.
  const text = useText(isTable ? fileUrl(file.id) : previewUrl(file.id));
  const table = useMemo(() => (isTable && text ? parseTable(text) : undefined), [isTable, text]);
  if (text === undefined) return <Loading />;
  if (text === "") return <p class="empty">This file is empty.</p>;
  if (table) return <TableView table={table} file={file} runId={runId} />;
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
