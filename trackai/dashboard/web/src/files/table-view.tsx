// A logged table: searched, sorted, and shown page by page.

import { useEffect, useMemo, useState } from "preact/hooks";
import { fileUrl, listFiles, previewUrl } from "../api/media";
import type { FileRecord } from "../api/types";
import { copyFullValues } from "../ui/copy-full";
import { grouped, plural, readable } from "../ui/format";
import { Stepper } from "../ui/stepper";
import { useSearchBox } from "../ui/use-search-box";
import { mediaKind } from "./media-kind";
import { cellText, type TableData } from "./table-file";
import {
  type FileReference,
  fileReferences,
  nextSort,
  rowText,
  type Sort,
  searchRows,
  sortRows,
} from "./table-rows";

const PAGE = 100;
const MAX_FILES = 20_000;

interface Props {
  table: TableData;
  /** The file of the table: those of its cells have the same run and step. */
  file: FileRecord;
  runId: number;
}

export function TableView({ table: { columns, data }, file, runId }: Props) {
  const [search, searchBox] = useSearchBox(data.length, "table");
  const [sort, setSort] = useState<Sort>();
  const [page, setPage] = useState(0);
  const texts = useMemo(() => (search ? data.map(rowText) : []), [data, search !== ""]);
  const matches = useMemo(
    () => (search ? searchRows(data, texts, search) : data),
    [data, texts, search],
  );
  const rows = useMemo(() => (sort ? sortRows(matches, sort) : matches), [matches, sort]);
  const pages = Math.max(1, Math.ceil(rows.length / PAGE));
  const start = Math.min(page, pages - 1) * PAGE;
  const shown = rows.slice(start, start + PAGE);
  const cellFiles = useCellFiles(runId, file, shown);
  const end = start + shown.length;
  const place = `rows ${grouped(start + 1)} to ${grouped(end)}`;
  const note = search
    ? `${grouped(rows.length)} of ${plural(data.length, "row")}`
    : plural(data.length, "row");
  return (
    <>
      <div class="table-tools">
        {searchBox}
        {pages > 1 ? (
          <Stepper
            label="Page of the table"
            place={place}
            index={start / PAGE}
            count={pages}
            note={note}
            onChange={setPage}
          />
        ) : (
          <small>{note}</small>
        )}
      </div>
      <div class="look cells" tabIndex={0} onCopy={copyFullValues}>
        <table>
          <thead>
            <tr>
              {columns.map((column, index) => (
                <Heading
                  key={index}
                  name={cellText(column)}
                  order={sort?.column === index ? sort : undefined}
                  onClick={() => {
                    setSort(nextSort(sort, index));
                    setPage(0);
                  }}
                />
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((cells, row) => (
              <tr key={start + row}>
                {cells.map((cell, column) => (
                  <Cell key={column} cell={cell} tablePath={file.path} files={cellFiles} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
        {rows.length === 0 && <p class="empty">{search ? "No rows match." : "No rows."}</p>}
      </div>
    </>
  );
}

interface HeadingProps {
  name: string;
  order: Sort | undefined;
  onClick: () => void;
}

const Heading = ({ name, order, onClick }: HeadingProps) => (
  <th scope="col" aria-sort={order && (order.descending ? "descending" : "ascending")}>
    <button type="button" title={`Sort by ${name}`} onClick={onClick}>
      {name}
    </button>
  </th>
);

type CellFiles = Map<string, FileRecord>;

const fileKey = ({ file, name }: FileReference): string => `${file}\n${name}`;

interface CellProps {
  cell: unknown;
  tablePath: string;
  files: CellFiles;
}

function Cell({ cell, tablePath, files }: CellProps) {
  const references = fileReferences(cell, tablePath);
  if (references.length > 0) {
    return (
      <td>
        {references.map((reference) => (
          <CellFile
            key={fileKey(reference)}
            name={reference.name}
            file={files.get(fileKey(reference))}
          />
        ))}
      </td>
    );
  }
  const [full, short] = [cellText(cell), readable(cell)];
  if (full === short) return <td>{full}</td>;
  return (
    <td title={full} data-value={full}>
      {short}
    </td>
  );
}

/** Its name while the file is not known, or if it is not stored. */
function CellFile({ name, file }: { name: string; file: FileRecord | undefined }) {
  if (!file || file.size === null) return <span class="faint">{name}</span>;
  const kind = mediaKind(name);
  const attributes = { src: previewUrl(file.id), title: name };
  if (kind === "image") return <img {...attributes} loading="lazy" alt={name} />;
  if (kind === "audio") return <audio {...attributes} controls preload="none" aria-label={name} />;
  if (kind === "video") {
    return <video {...attributes} controls preload="metadata" aria-label={name} />;
  }
  return (
    <a href={fileUrl(file.id)} download>
      {name}
    </a>
  );
}

/** The files that the cells of some rows stand for. */
function useCellFiles(runId: number, { step, path }: FileRecord, rows: unknown[][]): CellFiles {
  const [files, setFiles] = useState<CellFiles>(new Map());
  const references = rows.flat().flatMap((cell) => fileReferences(cell, path));
  const paths = [...new Set(references.map(({ file }) => file))].sort();
  useEffect(() => {
    let isCurrent = true;
    const load = async () => {
      const lists = await Promise.all(paths.map((name) => listFiles(runId, name, MAX_FILES)));
      const ofStep = lists.flat().filter((file) => file.step === step);
      if (!isCurrent) return;
      setFiles(
        new Map(ofStep.map((file) => [fileKey({ file: file.path, name: file.name }), file])),
      );
    };
    // After an error, the names of the files are shown.
    if (paths.length > 0) load().catch(() => undefined);
    return () => {
      isCurrent = false;
    };
  }, [paths.join("\n"), runId, step]);
  return files;
}
