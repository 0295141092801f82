// What some runs lack at a step, above a drawing of all of them.

import { nameOf } from "../api/run-names";
import type { AnyNumber, FilesOfRun } from "../api/types";
import { missingNote } from "./step-note";

interface Props {
  runIds: number[];
  step: AnyNumber | undefined;
  byRun: Map<number, FilesOfRun>;
}

export function MissingNotes({ runIds, step, byRun }: Props) {
  const notes = runIds.flatMap((id) => {
    const note = missingNote(step, byRun.get(id));
    return note ? [`${nameOf(id)}: ${note}`] : [];
  });
  return (
    <>
      {notes.map((note) => (
        <p key={note} class="missing">
          {note}
        </p>
      ))}
    </>
  );
}
