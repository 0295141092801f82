// The files of one run at a step.

import type { Signal } from "@preact/signals";
import { nameOf } from "../api/run-names";
import type { AnyNumber, FilesOfRun } from "../api/types";
import { FilePreview } from "../files/file-preview";
import type { Camera } from "../solid/camera";
import { runStyle } from "../ui/colors";
import { Swatch } from "../ui/swatch";
import { keepingView } from "../view/address";
import { Link } from "../view/link";
import { missingNote, placeOf } from "./step-note";

interface Props {
  projectId: number;
  runId: number;
  path: string;
  step: AnyNumber | undefined;
  /** Undefined if the run has no files of this name. */
  files: FilesOfRun | undefined;
  camera: Signal<Camera>;
}

export function RunFiles({ projectId, runId, path, step, files, camera }: Props) {
  const name = nameOf(runId);
  const page = keepingView({ run: runId, project: projectId, tab: "files", file: path });
  const shown = files?.files ?? [];
  return (
    <li>
      <p class="run-title">
        <Swatch {...runStyle(runId)} />
        <Link to={page} title={name}>
          {name}
        </Link>
      </p>
      <StepNote step={step} files={files} />
      {shown.map((file, index) => {
        const label = [name, path, placeOf(file.step), shown.length > 1 && file.name];
        // A file stays on the page until that of the next step is loaded.
        const key = `${index}${file.name.slice(file.name.lastIndexOf("."))}`;
        return file.size === null ? (
          <p key={key} class="problem">
            {file.name}: the content of this file is not stored.
          </p>
        ) : (
          <div key={key} class="shown">
            <FilePreview
              file={file}
              runId={runId}
              label={label.filter(Boolean).join(", ")}
              camera={camera}
            />
          </div>
        );
      })}
      {files && files.total > shown.length && shown.length > 0 && (
        <p class="faint">
          The first {shown.length} of {files.total} files.
        </p>
      )}
    </li>
  );
}

/** The step of the files, and whether it is an earlier one than the chosen. */
function StepNote({ step, files }: Pick<Props, "step" | "files">) {
  const note = missingNote(step, files);
  if (note) return <p class="missing">{note}</p>;
  return <p class="faint">{placeOf(files?.files[0]?.step ?? null)}</p>;
}
