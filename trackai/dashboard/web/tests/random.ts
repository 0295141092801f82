// Reproducible random numbers for tests of properties.

/** A generator of numbers from 0 to 1 (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Random ranges over many magnitudes, some of them narrow. */
export function randomRanges(count: number, seed = 1): [number, number][] {
  const random = seeded(seed);
  return Array.from({ length: count }, () => {
    const low = (random() - 0.5) * 10 ** (random() * 20 - 10);
    const span = 10 ** (random() * 20 - 10);
    return [low, low + Math.max(span, Math.abs(low) * 1e-9)];
  });
}
