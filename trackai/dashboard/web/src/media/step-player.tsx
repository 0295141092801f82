// A slider over steps that plays them.

import { useEffect, useState } from "preact/hooks";
import { compareFiles, previewUrl } from "../api/media";
import type { AnyNumber, FileSteps } from "../api/types";
import { mediaKind } from "../files/media-kind";
import { Options, Select } from "../ui/controls";
import { formatValue, grouped } from "../ui/format";
import { Stepper } from "../ui/stepper";

const SPEEDS = ["1", "2", "5", "10"];

interface Props {
  path: string;
  runIds: number[];
  list: FileSteps;
  index: number;
  /** Whether the files of the step are on the page. */
  isShown: boolean;
  onIndex: (index: number) => void;
}

export function StepPlayer({ path, runIds, list, index, isShown, onIndex }: Props) {
  const { steps, total } = list;
  const [isPlaying, setPlaying] = useState(false);
  const [speed, setSpeed] = useState("2");
  const last = steps.length - 1;
  useEffect(() => {
    if (!isPlaying || !isShown) return;
    if (index >= last) {
      setPlaying(false);
      return;
    }
    // The next step is ready when its turn comes.
    const ready = preload(runIds, path, steps[index + 1]).catch(() => undefined);
    let isCurrent = true;
    const timer = setTimeout(async () => {
      await ready;
      if (isCurrent) onIndex(index + 1);
    }, 1000 / Number(speed));
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [isPlaying, isShown, index, last, speed]);
  const play = () => {
    if (!isPlaying && index === last) onIndex(0);
    setPlaying(!isPlaying);
  };
  const isThinned = steps.length < total;
  const note = `${index + 1} of ${grouped(steps.length)}`;
  return (
    <div class="player">
      <button type="button" aria-pressed={isPlaying} onClick={play}>
        {isPlaying ? "Pause" : "Play"}
      </button>
      <Stepper
        label={`Step of ${path}`}
        place={`step ${formatValue(steps[index])}`}
        index={index}
        count={steps.length}
        note={isThinned ? `${note}, of ${grouped(total)} steps` : note}
        onChange={(next) => {
          setPlaying(false);
          onIndex(next);
        }}
      />
      <Select label="Steps a second" value={speed} onSelect={setSpeed}>
        <Options values={SPEEDS} />
      </Select>
    </div>
  );
}

/** Load the images of a step into the cache of the browser. */
async function preload(runIds: number[], path: string, step: AnyNumber | undefined): Promise<void> {
  const runs = await compareFiles(runIds, path, step);
  const images = runs.flatMap(({ files }) =>
    files.filter(({ name }) => mediaKind(name) === "image"),
  );
  await Promise.all(
    images.map((file) => {
      const image = new Image();
      image.src = previewUrl(file.id);
      return image.decode().catch(() => undefined);
    }),
  );
}
