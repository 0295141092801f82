// Bars from the left, with their values.

import { formatNumber, grouped } from "../ui/format";
import { extent } from "../ui/values";
import type { BarChart } from "./chart-table";

const MAX_BARS = 200;

interface Props {
  chart: BarChart;
  color: string;
}

export function BarPlot({ chart: { bars, x, y }, color }: Props) {
  const shown = bars.slice(0, MAX_BARS);
  const [low, high] = extent([0, ...bars.map(({ value }) => value)]) as [number, number];
  const share = (value: number) => (high > low ? ((value - low) / (high - low)) * 100 : 0);
  return (
    <>
      <table class="bar-plot">
        <thead>
          <tr>
            <th scope="col">{x || "label"}</th>
            <th scope="col">{y || "value"}</th>
          </tr>
        </thead>
        <tbody>
          {shown.map(({ label, value }, index) => (
            <tr key={index}>
              <th scope="row">{label}</th>
              <td>
                <i
                  style={{
                    background: color,
                    left: `${share(Math.min(0, value))}%`,
                    width: `${share(Math.max(0, value)) - share(Math.min(0, value))}%`,
                  }}
                />
                <span>{formatNumber(value)}</span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {bars.length > MAX_BARS && (
        <p class="faint">
          The first {MAX_BARS} of {grouped(bars.length)} bars.
        </p>
      )}
    </>
  );
}
