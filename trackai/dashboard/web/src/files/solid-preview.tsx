// A 3D file of a run.

import { type Signal, useSignal } from "@preact/signals";
import { fileUrl } from "../api/media";
import type { FileRecord } from "../api/types";
import { type Camera, START } from "../solid/camera";
import { SolidView } from "../solid/solid-view";
import { formatBytes } from "../ui/format";

// In bytes: a browser's tab has a few GB.
const MAX_SIZE = 300_000_000;

interface Props {
  file: FileRecord;
  label: string;
  camera: Signal<Camera> | undefined;
}

export function SolidPreview({ file, label, camera }: Props) {
  const own = useSignal(START);
  if ((file.size ?? 0) > MAX_SIZE) {
    return <p class="problem">3D files of more than {formatBytes(MAX_SIZE)} are not drawn.</p>;
  }
  return <SolidView name={file.name} url={fileUrl(file.id)} label={label} camera={camera ?? own} />;
}
