// Smoothing: the debiased exponential moving average that people know from other trackers.

/**
 * Smooth bucket means; a bucket of n points counts as n of them, so that a curve looks alike
 * however far it was thinned.
 */
export function smooth(values: (number | null)[], counts: number[], weight: number): (number | null)[] {
  if (weight <= 0) return values;
  let sum = 0;
  let total = 0;
  return values.map((value, at) => {
    if (value === null) return null;
    const kept = weight ** (counts[at] ?? 1);
    sum = sum * kept + value * (1 - kept);
    total = total * kept + (1 - kept);
    return sum / total;
  });
}
