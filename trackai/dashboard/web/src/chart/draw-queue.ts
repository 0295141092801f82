// Draws one chart per frame: drawing many at once would block scrolling.

const waiting: (() => void)[] = [];
let frame = 0;

/** Draw in a frame of its own; returns a function that cancels it. */
export function drawInFrame(draw: () => void): () => void {
  waiting.push(draw);
  if (frame === 0) frame = requestAnimationFrame(drawNext);
  return () => {
    const index = waiting.indexOf(draw);
    if (index >= 0) waiting.splice(index, 1);
  };
}

function drawNext(): void {
  waiting.shift()?.();
  frame = waiting.length > 0 ? requestAnimationFrame(drawNext) : 0;
}
