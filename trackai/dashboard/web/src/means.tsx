// The legend of charts of means, above all of them.

import { Swatch } from "./card";
import { called, strokeAt, useTogether } from "./together";
import { meanOf } from "./view";

/** Which line is the mean of what. */
export function Means({ runIds }: { runIds: number[] }) {
  const groups = useTogether(runIds, meanOf.value);
  const names = groups.map((one) => (meanOf.value === "all" ? "all" : called(one.value)));
  return (
    <p class="means" title={names.join(", ")}>
      {groups.map((one, at) => {
        const { color, dash } = strokeAt(at);
        const runs = one.run_ids.length;
        return (
          <span key={at}>
            <Swatch color={color} dashed={dash.length > 0} /> {names[at]}{" "}
            <small>
              {runs} {runs === 1 ? "run" : "runs"}
            </small>
          </span>
        );
      })}
    </p>
  );
}
