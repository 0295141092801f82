// The files of one name: a step, and the files of each run at it.

import { useSignal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { compareFiles, listSharedSteps } from "../api/media";
import { usePolled } from "../api/polling";
import type { AnyNumber, FilesOfRun } from "../api/types";
import { mediaKind } from "../files/media-kind";
import { START } from "../solid/camera";
import { Options, Select } from "../ui/controls";
import { ErrorMessage, Loading } from "../ui/messages";
import { replaceParameters, textParameter } from "../view/address";
import { ChartsOfRuns } from "./charts-of-runs";
import { ImagePair } from "./image-pair";
import { MissingNotes } from "./missing-notes";
import { RunFiles } from "./run-files";
import { StepPlayer } from "./step-player";
import { indexOfStep, parseStep } from "./steps";

const POLL_MS = 5000;
// Browsers allow few changes of the address in a second.
const ADDRESS_DELAY_MS = 400;
const stepParameter = textParameter("step");
const showParameter = textParameter("show", "side");

const MODES: Record<string, string> = {
  side: "side by side",
  wipe: "two images, with a wipe",
  overlay: "two images, one over the other",
  difference: "the difference of two images",
};

interface Props {
  projectId: number;
  runIds: number[];
  path: string;
}

/** What is shown at a step. */
interface Shown {
  step: AnyNumber | undefined;
  runs: FilesOfRun[];
}

export function SharedFiles({ projectId, runIds, path }: Props) {
  const [step, setStep] = useStep();
  const { data: list, error: stepsError } = usePolled(
    () => listSharedSteps(runIds, path),
    POLL_MS,
    [runIds.join(), path],
  );
  const steps = list?.steps ?? [];
  const index = indexOfStep(steps, step);
  const current = steps[index];
  const { data: shown, error } = usePolled(
    async (): Promise<Shown | undefined> =>
      list && { step: current, runs: await compareFiles(runIds, path, current) },
    POLL_MS,
    [runIds.join(), path, list === undefined, String(current)],
  );
  const problem = error ?? stepsError;
  if (!shown || !list) return problem ? <ErrorMessage message={problem} /> : <Loading />;
  return (
    <>
      {steps.length > 1 && (
        <StepPlayer
          path={path}
          runIds={runIds}
          list={list}
          index={index}
          isShown={shown.step === current}
          onIndex={(next) => setStep(next === steps.length - 1 ? undefined : steps[next])}
        />
      )}
      <ErrorMessage message={problem} />
      <Content projectId={projectId} runIds={runIds} path={path} shown={shown} />
    </>
  );
}

/** The step in the address; undefined for the last one, also while runs log more. */
function useStep(): [AnyNumber | undefined, (step: AnyNumber | undefined) => void] {
  const [step, setStep] = useState(() => parseStep(stepParameter.peek()));
  useEffect(() => {
    const text = step === undefined ? undefined : String(step);
    if ((stepParameter.peek() || undefined) === text) return;
    const timer = setTimeout(() => replaceParameters({ step: text }), ADDRESS_DELAY_MS);
    return () => clearTimeout(timer);
  }, [step]);
  return [step, setStep];
}

function Content({ projectId, runIds, path, shown }: Props & { shown: Shown }) {
  const camera = useSignal(START);
  const byRun = new Map(shown.runs.map((each) => [each.run_id, each]));
  const files = shown.runs.flatMap((each) => each.files);
  const withImages = shown.runs
    .filter((each) => each.files.some(isImage))
    .map((each) => each.run_id);
  const mode = withImages.length > 1 && MODES[showParameter.value] ? showParameter.value : "side";
  const sideBySide = (
    <ol class="columns" aria-label="Runs">
      {runIds.map((id) => (
        <RunFiles
          key={id}
          projectId={projectId}
          runId={id}
          path={path}
          step={shown.step}
          files={byRun.get(id)}
          camera={camera}
        />
      ))}
    </ol>
  );
  return (
    <>
      {withImages.length > 1 && (
        <p class="tools">
          <Select
            label="Show"
            value={mode}
            onSelect={(value) => replaceParameters({ show: value === "side" ? undefined : value })}
          >
            <Options values={Object.keys(MODES)} text={(value) => MODES[value] as string} />
          </Select>
        </p>
      )}
      {mode === "side" ? (
        <ChartsOfRuns
          files={files}
          path={path}
          notes={<MissingNotes runIds={runIds} step={shown.step} byRun={byRun} />}
          fallback={sideBySide}
        />
      ) : (
        <ImagePair
          mode={mode}
          step={shown.step}
          shown={shown.runs.filter(({ run_id }) => withImages.includes(run_id))}
        />
      )}
    </>
  );
}

const isImage = ({ name, size }: { name: string; size: number | null }): boolean =>
  size !== null && mediaKind(name) === "image";
