// The steps of the files of several runs.

import type { AnyNumber, SharedFilePath } from "../api/types";
import { figureLibrary, SOLID_NAME, TABLE_NAME } from "../files/file-names";
import { mediaKind } from "../files/media-kind";

/** The index of a step, or of the nearest one before it; the last without a step, -1 for none. */
export function indexOfStep(steps: AnyNumber[], step: AnyNumber | undefined): number {
  if (step === undefined) return steps.length - 1;
  const later = steps.findIndex((each) => each > step);
  return later < 0 ? steps.length - 1 : Math.max(0, later - 1);
}

/** A step in the address; undefined if it is not one. */
export function parseStep(text: string): AnyNumber | undefined {
  if (/^-?\d{16,}$/.test(text)) return BigInt(text);
  const step = Number(text);
  return text.trim() && Number.isFinite(step) ? step : undefined;
}

/** The path that is shown first: the first with images, or else with anything that is drawn. */
export function defaultPath(paths: SharedFilePath[]): string | undefined {
  const isImage = ({ name }: SharedFilePath) => mediaKind(name) === "image";
  const isDrawn = ({ name }: SharedFilePath) =>
    mediaKind(name) !== undefined ||
    figureLibrary(name) !== undefined ||
    SOLID_NAME.test(name) ||
    TABLE_NAME.test(name);
  return (paths.find(isImage) ?? paths.find(isDrawn) ?? paths[0])?.path;
}
