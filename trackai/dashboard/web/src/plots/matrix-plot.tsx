// A confusion matrix as a table of coloured cells.

import { plural } from "../ui/format";
import type { MatrixChart } from "./chart-table";

// In percent: text on it keeps its contrast, on a light and on a dark page.
const STRONGEST = 45;

export type MatrixUnit = "count" | "share";

interface Props {
  chart: MatrixChart;
  /** Counts, or shares of the samples of an actual class. */
  unit: MatrixUnit;
  /** The count of the strongest colour, so that several matrices can be compared. */
  highest: number;
}

/** Shares of a row; a class without samples has none. */
export function cellShare(cells: number[], column: number): number | undefined {
  const total = cells.reduce((sum, count) => sum + count, 0);
  return total > 0 ? (cells[column] ?? 0) / total : undefined;
}

/** The share of samples that were predicted to be of their class; undefined without samples. */
export function accuracy({ counts }: MatrixChart): number | undefined {
  const total = counts.flat().reduce((sum, count) => sum + count, 0);
  const right = counts.reduce((sum, cells, row) => sum + (cells[row] ?? 0), 0);
  return total > 0 ? right / total : undefined;
}

export const percent = (share: number): string => `${(share * 100).toFixed(1)}%`;

export function MatrixPlot({ chart, unit, highest }: Props) {
  const { labels, counts } = chart;
  const right = accuracy(chart);
  return (
    <div class="matrix">
      <p class="faint">
        {right === undefined ? "No samples." : `${percent(right)} predicted correctly.`} Rows are
        actual, columns predicted classes.
      </p>
      <div
        class="across"
        tabIndex={0}
        role="group"
        aria-label={`Matrix of ${plural(labels.length, "class", "classes")}`}
      >
        <table>
          <thead>
            <tr>
              <td />
              {labels.map((label) => (
                <th key={label} scope="col" title={`predicted ${label}`}>
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {counts.map((cells, row) => (
              <tr key={labels[row]}>
                <th scope="row" title={`actual ${labels[row]}`}>
                  {labels[row]}
                </th>
                {cells.map((count, column) => (
                  <MatrixCell
                    key={column}
                    count={count}
                    share={cellShare(cells, column)}
                    unit={unit}
                    highest={highest}
                    title={`actual ${labels[row]}, predicted ${labels[column]}: ${count}`}
                  />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

interface CellProps {
  count: number;
  share: number | undefined;
  unit: MatrixUnit;
  highest: number;
  title: string;
}

function MatrixCell({ count, share, unit, highest, title }: CellProps) {
  const strength = unit === "share" ? (share ?? 0) : highest > 0 ? count / highest : 0;
  const text = unit === "share" ? (share === undefined ? "–" : percent(share)) : String(count);
  const tint = Math.round(strength * STRONGEST);
  return (
    <td
      title={title}
      style={{ background: `color-mix(in srgb, var(--accent) ${tint}%, transparent)` }}
    >
      {text}
    </td>
  );
}
