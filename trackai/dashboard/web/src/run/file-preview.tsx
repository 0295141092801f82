// The content of a file: media, a page, a table, or text as the server renders it.

import { useEffect, useState } from "preact/hooks";
import { pageUrl, previewUrl } from "../api/media";
import type { FileRecord } from "../api/types";
import { Loading } from "../ui/messages";
import { cellText, parseTable, type TableData } from "./table-file";

const TABLE_NAME = /\.table\.json$/i;
const PAGE_NAME = /\.html?$/i;
const MEDIA_NAMES = {
  image: /\.(png|jpe?g|gif|webp)$/i,
  audio: /\.(wav|mp3|flac|og[ga]|opus|m4a)$/i,
  video: /\.(mp4|m4v|mov|webm|mkv)$/i,
};
// Smaller images are enlarged without smoothing.
const SMALL_WIDTH = 100;

export function FilePreview({ file, label }: { file: FileRecord; label: string }) {
  // Files that their names do not fit are shown as text.
  const [isText, setIsText] = useState(false);
  const has = (kind: keyof typeof MEDIA_NAMES) => !isText && MEDIA_NAMES[kind].test(file.name);
  const attributes = {
    class: "look",
    src: previewUrl(file.id),
    onError: () => setIsText(true),
  };
  if (has("audio")) return <audio {...attributes} controls preload="metadata" aria-label={label} />;
  if (has("video")) return <video {...attributes} controls preload="metadata" aria-label={label} />;
  if (PAGE_NAME.test(file.name)) return <PagePreview file={file} label={label} />;
  if (!has("image")) return <TextPreview file={file} />;
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

function TextPreview({ file }: { file: FileRecord }) {
  const [text, setText] = useState<string>();
  useEffect(() => {
    const stop = new AbortController();
    fetch(previewUrl(file.id), { signal: stop.signal })
      .then((response) => response.text())
      .then(setText, (problem: unknown) => stop.signal.aborted || setText(String(problem)));
    return () => stop.abort();
  }, [file.id]);
  if (text === undefined) return <Loading />;
  if (text === "") return <p class="empty">This file is empty.</p>;
  const table = TABLE_NAME.test(file.name) && parseTable(text);
  if (table) return <TablePreview {...table} />;
  return (
    <pre class="look" tabIndex={0}>
      {text}
    </pre>
  );
}

const TablePreview = ({ columns, data }: TableData) => (
  <div class="look cells" tabIndex={0}>
    <table>
      <thead>
        <tr>
          {columns.map((column, index) => (
            <th key={index} scope="col">
              {cellText(column)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {data.map((cells, row) => (
          <tr key={row}>
            {cells.map((cell, column) => (
              <td key={column}>{cellText(cell)}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  </div>
);
