// The files of a run: a list of their names, and a look at the one that is chosen.

import { useEffect, useState } from "preact/hooks";
import * as api from "./details";
import { bytes, number } from "./format";
import { usePolled } from "./poll";
import { address, follow, text } from "./view";

const TABLE = /\.table\.json$/i;
const IMAGE = /\.(png|jpe?g|gif|webp)$/i;
const MOST = 2000;
const chosen = text("file");

export function Files({ runId, running }: { runId: number; running: boolean }) {
  const [search, setSearch] = useState("");
  const { data, error } = usePolled(() => api.filePaths(runId, search), running ? 5000 : 0, [
    runId,
    search,
    running,
  ]);
  if (error && !data)
    return (
      <p class="problem" role="alert">
        {error}
      </p>
    );
  if (!data) return <p class="empty">Loading …</p>;
  if (data.length === 0 && !search) {
    return (
      <p class="empty">
        This run has no files. An import brings those of Neptune:{" "}
        <code>trackai import neptune exports</code>
      </p>
    );
  }
  const one = data.find((path) => path.path === chosen.value) ?? data[0];
  return (
    <div class="files">
      <nav aria-label="Files">
        <input
          type="search"
          aria-label="Search files"
          placeholder="Search files"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
        <ul>
          {data.map((path) => (
            <li key={path.path}>
              <a
                href={address({ file: path.path })}
                aria-current={path === one ? "true" : undefined}
                onClick={(event) => follow(event, { file: path.path }, true)}
              >
                <span>{path.path}</span>
                <small>
                  {path.files > 1 && `${path.files} files, `}
                  {path.size === null ? "not here" : bytes(path.size)}
                </small>
              </a>
            </li>
          ))}
        </ul>
        {data.length === 0 && <p class="empty">No file is called that.</p>}
      </nav>
      {one && <Chosen key={one.path} runId={runId} path={one} />}
    </div>
  );
}

function Chosen({ runId, path }: { runId: number; path: api.FilePath }) {
  const { data, error } = usePolled(() => api.files(runId, path.path, MOST), 0, [
    runId,
    path.path,
    path.files,
  ]);
  const [place, setPlace] = useState<number>();
  if (error)
    return (
      <p class="problem" role="alert">
        {error}
      </p>
    );
  if (!data) return <p class="empty">Loading …</p>;
  // Nothing chosen: of a series the last, of a set the first.
  const places = bySteps(data);
  const fallback = path.kind === "file_series" ? places.length - 1 : 0;
  const at = Math.min(place ?? fallback, places.length - 1);
  const files = places[at];
  const [first] = files ?? [];
  if (!files || !first) return <p class="empty">It is gone.</p>;
  const where = first.step === null ? first.name : `step ${number(first.step)}`;
  return (
    <section class="file" aria-label={path.path}>
      <h2>{path.path}</h2>
      {places.length > 1 && (
        <label class="stepper">
          <span>{where}</span>
          <input
            type="range"
            min="0"
            max={places.length - 1}
            step="1"
            value={at}
            aria-label={`Which of ${path.path}`}
            aria-valuetext={where}
            onInput={(event) => setPlace(Number(event.currentTarget.value))}
          />
          <small>
            {at + 1} of {places.length}
            {data.length < path.files && "+"}
          </small>
        </label>
      )}
      <div class={files.length > 1 ? "beside" : undefined}>
        {files.map((file) => (
          <One
            key={file.id}
            file={file}
            label={`${path.path}, ${where}${files.length > 1 ? `, ${file.name}` : ""}`}
          />
        ))}
      </div>
    </section>
  );
}

/** Files of the same step lie beside each other; what has none is looked at by itself. */
function bySteps(files: api.FileRecord[]): api.FileRecord[][] {
  const found: api.FileRecord[][] = [];
  for (const file of files) {
    const last = found[found.length - 1];
    if (last && file.step !== null && last[0]?.step === file.step) last.push(file);
    else found.push([file]);
  }
  return found;
}

function One({ file, label }: { file: api.FileRecord; label: string }) {
  return (
    <div>
      <p class="about">
        <span>{file.name}</span>
        {file.size === null ? (
          <span class="problem">its bytes were not there to be stored</span>
        ) : (
          <>
            <span>{bytes(file.size)}</span>
            <a
              class="button"
              href={api.fileAddress(file.id)}
              download
              aria-label={`Download ${file.name}`}
            >
              Download
            </a>
          </>
        )}
      </p>
      {file.size !== null && <Look file={file} label={label} />}
    </div>
  );
}

/** An image as one, everything else as text, or as the server shows bytes. */
function Look({ file, label }: { file: api.FileRecord; label: string }) {
  const [image, setImage] = useState(IMAGE.test(file.name));
  if (image) {
    return (
      <img
        class="look"
        loading="lazy"
        src={api.previewAddress(file.id)}
        alt={label}
        onError={() => setImage(false)}
        onLoad={(event) =>
          event.currentTarget.classList.toggle("tiny", event.currentTarget.naturalWidth < 100)
        }
      />
    );
  }
  return <Text file={file} />;
}

function Text({ file }: { file: api.FileRecord }) {
  const [said, setSaid] = useState<string>();
  useEffect(() => {
    const stop = new AbortController();
    fetch(api.previewAddress(file.id), { signal: stop.signal })
      .then((answer) => answer.text())
      .then(setSaid, (problem: unknown) => stop.signal.aborted || setSaid(String(problem)));
    return () => stop.abort();
  }, [file.id]);
  if (said === undefined) return <p class="empty">Loading …</p>;
  if (said === "") return <p class="empty">It is empty.</p>;
  const table = TABLE.test(file.name) && tableOf(said);
  if (table) return <Table {...table} />;
  return (
    <pre class="look" tabIndex={0}>
      {said}
    </pre>
  );
}

interface Cells {
  columns: unknown[];
  data: unknown[][];
}

/** A logged table; one that is too long to be sent whole is shown as the text that it is. */
function tableOf(text: string): Cells | undefined {
  try {
    const found = JSON.parse(text) as Cells;
    return Array.isArray(found.columns) && found.data.every(Array.isArray) ? found : undefined;
  } catch {
    return undefined;
  }
}

function Table({ columns, data }: Cells) {
  const said = (cell: unknown) => (typeof cell === "string" ? cell : JSON.stringify(cell));
  return (
    <div class="look cells" tabIndex={0}>
      <table>
        <thead>
          <tr>
            {columns.map((column, at) => (
              <th key={at} scope="col">
                {said(column)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {data.map((row, at) => (
            <tr key={at}>
              {row.map((cell, column) => (
                <td key={column}>{said(cell)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
