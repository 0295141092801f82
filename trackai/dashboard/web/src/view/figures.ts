// The figures of a metric, by their names in fields; everything shows them under these names.

/** The values. */
export const FIGURES = ["last", "min", "max", "mean"];

/** With numbers of points, and steps. */
export const ALL_FIGURES = [...FIGURES, "points", "nans", "last_step", "min_step", "max_step"];
