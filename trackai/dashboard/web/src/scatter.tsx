// A point for each run: a key of the configuration or a metric against a metric.

import { useState } from "preact/hooks";
import { axis } from "./axis";
import { color } from "./colors";
import { useWidth, Words } from "./compare";
import { type Compared, pointed, title } from "./comparison";
import { value } from "./format";
import { address, follow, go, text, within } from "./view";

const HEIGHT = 330;
const LEFT = 62;
const RIGHT = 14;
const TOP = 12;
const FOOT = 44;

const logs = text("slog");

interface Props {
  projectId: number;
  runs: Compared[];
  kept: Compared[];
  options: string[];
  x: string;
  y: string;
}

export function Scatter({ projectId, runs, kept, options, x, y }: Props) {
  const [box, width] = useWidth();
  const [under, setUnder] = useState<number>();
  const across = axis(runs, x, Math.max(2, width / 80), logOf("x"), true);
  const up = axis(runs, y, 6, logOf("y"), true);
  const inset = (words: boolean, share: number) => (words ? 0.06 + share * 0.88 : share);
  const left = (share: number) => LEFT + inset(across.words, share) * (width - LEFT - RIGHT);
  const top = (share: number) => HEIGHT - FOOT - inset(up.words, share) * (HEIGHT - FOOT - TOP);
  const keptIds = new Set(kept.map((one) => one.id));
  const points = runs.flatMap((run) => {
    const [one, other] = [across.at(run), up.at(run)];
    return one === undefined || other === undefined ? [] : [{ run, x: left(one), y: top(other) }];
  });
  const field = (name: "sx" | "sy", now: string, label: string) => (
    <label>
      {label}
      <select
        value={now}
        onChange={(event) => go({ [name]: event.currentTarget.value }, { replace: true })}
      >
        {(options.includes(now) ? options : [now, ...options]).map((one) => (
          <option key={one} value={one}>
            {title(one)}
          </option>
        ))}
      </select>
    </label>
  );
  const log = (which: "x" | "y", on: boolean) => (
    <label>
      <input
        type="checkbox"
        checked={on}
        onChange={(event) => setLog(which, event.currentTarget.checked)}
      />
      log {which}
    </label>
  );
  const size = runs.length > 60 ? 4 : 5.5;
  const reach = size + 7;
  const point = (event: PointerEvent) => {
    const area = (event.currentTarget as Element).getBoundingClientRect();
    const [atX, atY] = [event.clientX - area.left, event.clientY - area.top];
    let [nearest, far]: [number | undefined, number] = [undefined, reach];
    for (const one of points) {
      const distance = Math.hypot(one.x - atX, one.y - atY);
      if (distance < far) [nearest, far] = [one.run.id, distance];
    }
    pointed.value = nearest;
    setUnder(nearest);
  };
  // Above all others, so that a click goes to what is read; not what has the focus, which would lose it.
  const order = (one: (typeof points)[number]) => Number(one.run.id === under);
  points.sort((one, other) => order(one) - order(other));
  const missing = runs.length - points.length;
  return (
    <section class="panel-box" aria-label="Scatter plot">
      <header>
        <h2>Scatter</h2>
        {field("sx", x, "x")}
        {log("x", across.log)}
        {field("sy", y, "y")}
        {log("y", up.log)}
      </header>
      <div ref={box} onPointerLeave={() => (pointed.value = undefined)}>
        <svg
          class="scatter"
          width={width}
          height={HEIGHT}
          viewBox={`0 0 ${width} ${HEIGHT}`}
          role="group"
          aria-label={`${points.length} runs: ${title(y)} over ${title(x)}`}
          onPointerMove={point}
          onPointerDown={point}
        >
          {up.marks.map((mark) => (
            <g key={mark.label}>
              <line x1={LEFT} x2={width - RIGHT} y1={top(mark.share)} y2={top(mark.share)} />
              <text x={LEFT - 7} y={top(mark.share) + 4} text-anchor="end">
                {mark.label.slice(0, 9)}
              </text>
            </g>
          ))}
          {across.marks.map((mark) => (
            <g key={mark.label}>
              <line x1={left(mark.share)} x2={left(mark.share)} y1={TOP} y2={HEIGHT - FOOT} />
              <text x={left(mark.share)} y={HEIGHT - FOOT + 16} text-anchor="middle">
                {mark.label.slice(0, 12)}
              </text>
            </g>
          ))}
          <text class="name" x={(LEFT + width - RIGHT) / 2} y={HEIGHT - 8} text-anchor="middle">
            {title(x)}
            {across.log && " (log)"}
          </text>
          {points.map(({ run, x: cx, y: cy }) => {
            const there = within({ run: run.id, project: projectId });
            const here = run.id === pointed.value;
            return (
              <a
                key={run.id}
                href={address(there, false)}
                aria-label={`${run.name}: ${title(x)} ${value(run.values[x])}, ${title(y)} ${value(run.values[y])}`}
                onClick={(event) => follow(event as unknown as MouseEvent, there)}
                onFocus={() => (pointed.value = run.id)}
              >
                {run.id === under && <circle class="reach" cx={cx} cy={cy} r={reach} />}
                <circle
                  cx={cx}
                  cy={cy}
                  r={here ? size + 3 : size}
                  fill={color(run.id)}
                  fill-opacity={keptIds.has(run.id) ? 0.85 : 0.12}
                  stroke={here ? "var(--ink)" : color(run.id)}
                  stroke-width={here ? 2 : 1}
                />
              </a>
            );
          })}
        </svg>
      </div>
      <Words run={runs.find((one) => one.id === pointed.value)} fields={[x, y]} />
      {missing > 0 && (
        <p class="faint">
          Without a place here: {missing} of {runs.length}, for want of such a value, or of one
          above 0 on a logarithmic axis.
        </p>
      )}
    </section>
  );
}

/** "x", "y", "-x", "-y": on a logarithmic axis or not; without it, as it shows more. */
function logOf(which: "x" | "y"): boolean | undefined {
  const all = logs.value.split(",");
  return all.includes(which) ? true : all.includes(`-${which}`) ? false : undefined;
}

function setLog(which: "x" | "y", on: boolean): void {
  const others = logs.value.split(",").filter((one) => one && one.replace("-", "") !== which);
  go({ slog: [...others, on ? which : `-${which}`].join(",") }, { replace: true });
}
