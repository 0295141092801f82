// The files of a run: a list of their paths, and the content of the selected one.

import { useState } from "preact/hooks";
import { fileUrl, listFilePaths, listFiles } from "../api/media";
import { usePolled } from "../api/polling";
import type { FilePath, FileRecord } from "../api/types";
import { FilePreview } from "../files/file-preview";
import { SearchInput } from "../ui/controls";
import { formatBytes, formatValue, plural } from "../ui/format";
import { ErrorMessage, Loading } from "../ui/messages";
import { Stepper } from "../ui/stepper";
import { textParameter } from "../view/address";
import { Link } from "../view/link";
import { groupBySteps } from "./file-steps";

const POLL_MS = 5000;
const MAX_FILES = 2000;
const fileParameter = textParameter("file");

export function FilesTab({ runId, running }: { runId: number; running: boolean }) {
  const [search, setSearch] = useState("");
  const { data: paths, error } = usePolled(
    () => listFilePaths(runId, search),
    running ? POLL_MS : 0,
    [runId, search, running],
  );
  if (error && !paths) return <ErrorMessage message={error} />;
  if (!paths) return <Loading />;
  if (paths.length === 0 && !search) {
    return <p class="empty">No files. Store some with {'run.save("config.yaml")'}.</p>;
  }
  const selected = paths.find(({ path }) => path === fileParameter.value) ?? paths[0];
  return (
    <div class="files">
      <nav aria-label="Files">
        <SearchInput label="Search files" value={search} onSearch={setSearch} />
        <ul>
          {paths.map((path) => (
            <FileItem key={path.path} path={path} isSelected={path === selected} />
          ))}
        </ul>
        {paths.length === 0 && <p class="empty">No files match.</p>}
      </nav>
      {selected && <SelectedPath key={selected.path} runId={runId} path={selected} />}
    </div>
  );
}

const FileItem = ({ path, isSelected }: { path: FilePath; isSelected: boolean }) => (
  <li>
    <Link to={{ file: path.path }} keep aria-current={isSelected ? "true" : undefined}>
      <span>{path.path}</span>
      <small>
        {path.files > 1 && `${plural(path.files, "file")}, `}
        {path.size === null ? "not stored" : formatBytes(path.size)}
      </small>
    </Link>
  </li>
);

function SelectedPath({ runId, path }: { runId: number; path: FilePath }) {
  const { data, error } = usePolled(() => listFiles(runId, path.path, MAX_FILES), 0, [
    runId,
    path.path,
    path.files,
  ]);
  const [selected, setSelected] = useState<number>();
  if (error) return <ErrorMessage message={error} />;
  if (!data) return <Loading />;
  const steps = groupBySteps(data);
  const last = steps.length - 1;
  // By default the last file of a series, and the first of a set.
  const index = Math.min(selected ?? (path.kind === "file_series" ? last : 0), last);
  const files = steps[index];
  const [first] = files ?? [];
  if (!files || !first) return <p class="empty">File not found.</p>;
  const place = first.step === null ? first.name : `step ${formatValue(first.step)}`;
  const label = `${path.path}, ${place}`;
  const isIncomplete = data.length < path.files;
  return (
    <section class="file" aria-label={path.path}>
      <h2>{path.path}</h2>
      {steps.length > 1 && (
        <Stepper
          label={`Step of ${path.path}`}
          place={place}
          index={index}
          count={steps.length}
          note={`${index + 1} of ${steps.length}${isIncomplete ? "+" : ""}`}
          onChange={setSelected}
        />
      )}
      <div class={files.length > 1 ? "beside" : undefined}>
        {files.map((file) => (
          <FileView
            key={file.id}
            file={file}
            runId={runId}
            label={files.length > 1 ? `${label}, ${file.name}` : label}
          />
        ))}
      </div>
    </section>
  );
}

interface FileProps {
  file: FileRecord;
  runId: number;
  label: string;
}

function FileView({ file, runId, label }: FileProps) {
  const { id, name, size } = file;
  if (size === null) {
    return (
      <div>
        <p class="about">
          <span>{name}</span>
          <span class="problem">The content of this file is not stored.</span>
        </p>
      </div>
    );
  }
  return (
    <div>
      <p class="about">
        <span>{name}</span>
        <span>{formatBytes(size)}</span>
        <a class="button" href={fileUrl(id)} download aria-label={`Download ${name}`}>
          Download
        </a>
      </p>
      <FilePreview file={file} runId={runId} label={label} />
    </div>
  );
}
