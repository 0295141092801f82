// Two images over each other: a wipe, a blend or their difference.

import { useState } from "preact/hooks";
import { previewUrl } from "../api/media";
import { nameOf } from "../api/run-names";
import type { AnyNumber, FileRecord, FilesOfRun } from "../api/types";
import { mediaKind } from "../files/media-kind";
import { Options, Select } from "../ui/controls";
import { missingNote, placeOf } from "./step-note";

// Smaller images are enlarged without smoothing.
const SMALL_WIDTH = 100;

interface Props {
  mode: string;
  step: AnyNumber | undefined;
  /** Runs with images, at least two. */
  shown: FilesOfRun[];
}

export function ImagePair({ mode, step, shown }: Props) {
  const [chosen, setChosen] = useState<[number?, number?]>([]);
  const [position, setPosition] = useState(50);
  const [number, setNumber] = useState(0);
  const pick = (side: 0 | 1): FilesOfRun =>
    shown.find(({ run_id }) => run_id === chosen[side]) ?? (shown[side] as FilesOfRun);
  const [left, right] = [pick(0), pick(1)];
  const count = Math.max(imagesOf(left).length, imagesOf(right).length);
  const index = Math.min(number, count - 1);
  const sides = [left, right].map((run) => ({ run, file: imagesOf(run)[index] }));
  const ids = shown.map(({ run_id }) => String(run_id));
  return (
    <>
      <div class="tools">
        {[0, 1].map((side) => (
          <Select
            key={side}
            label={side === 0 ? "Below" : "Above"}
            value={String(pick(side as 0 | 1).run_id)}
            onSelect={(id) =>
              setChosen(side === 0 ? [Number(id), right.run_id] : [left.run_id, Number(id)])
            }
          >
            <Options values={ids} text={(id) => nameOf(Number(id))} />
          </Select>
        ))}
        {count > 1 && (
          <Select
            label="Image"
            value={String(index)}
            onSelect={(value) => setNumber(Number(value))}
          >
            <Options
              values={Array.from({ length: count }, (_, at) => String(at))}
              text={(value) => `${Number(value) + 1} of ${count}`}
            />
          </Select>
        )}
        {mode !== "difference" && (
          <label>
            {mode === "wipe" ? "Wipe" : "Blend"}
            <input
              type="range"
              min="0"
              max="100"
              value={position}
              aria-valuetext={`${position}% of ${nameOf(right.run_id)}`}
              onInput={(event) => setPosition(Number(event.currentTarget.value))}
            />
          </label>
        )}
      </div>
      <Layers mode={mode} step={step} sides={sides} position={position} onPosition={setPosition} />
    </>
  );
}

const imagesOf = ({ files }: FilesOfRun): FileRecord[] =>
  files.filter(({ name, size }) => size !== null && mediaKind(name) === "image");

interface Side {
  run: FilesOfRun;
  file: FileRecord | undefined;
}

interface LayersProps {
  mode: string;
  step: AnyNumber | undefined;
  sides: Side[];
  position: number;
  onPosition: (position: number) => void;
}

function Layers({ mode, step, sides, position, onPosition }: LayersProps) {
  const [sizes, setSizes] = useState<Record<number, string>>({});
  const styles: Record<
    string,
    { clipPath?: string; opacity?: number; mixBlendMode?: "difference" }
  > = {
    wipe: { clipPath: `inset(0 0 0 ${100 - position}%)` },
    overlay: { opacity: position / 100 },
    difference: { mixBlendMode: "difference" },
  };
  const drag = (event: PointerEvent) => {
    if (mode !== "wipe" || !(event.buttons & 1)) return;
    const { left, width } = (event.currentTarget as Element).getBoundingClientRect();
    const share = (event.clientX - left) / width;
    onPosition(Math.round(100 - Math.min(1, Math.max(0, share)) * 100));
  };
  const known = sides.map(({ file }) => file && sizes[file.id]);
  return (
    <figure class="layers">
      <div class="stack" onPointerDown={drag} onPointerMove={drag}>
        {sides.map(
          ({ run, file }, side) =>
            file && (
              <img
                key={side}
                src={previewUrl(file.id)}
                alt={`${nameOf(run.run_id)}, ${file.path}, ${placeOf(file.step)}`}
                draggable={false}
                style={side === 1 ? styles[mode] : undefined}
                onLoad={({ currentTarget: image }) => {
                  image.classList.toggle("tiny", image.naturalWidth < SMALL_WIDTH);
                  const size = `${image.naturalWidth} × ${image.naturalHeight}`;
                  setSizes((before) => ({ ...before, [file.id]: size }));
                }}
              />
            ),
        )}
        {mode === "wipe" && <i class="edge" style={{ left: `${100 - position}%` }} />}
      </div>
      <figcaption>
        {sides.map(({ run, file }, side) => (
          <p key={side}>
            {side === 0 ? "Below" : "Above"}: {nameOf(run.run_id)},{" "}
            {file ? placeOf(file.step) : "which has fewer images"}
            {missingNote(step, run) && <span class="missing">{missingNote(step, run)}</span>}
          </p>
        ))}
        {known[0] && known[1] && known[0] !== known[1] && (
          <p class="problem">
            The images have different sizes, {known[0]} and {known[1]}: the second is scaled.
          </p>
        )}
      </figcaption>
    </figure>
  );
}
