// The dialog that creates or changes a panel.

import { useState } from "preact/hooks";
import type { Columns } from "../api/types";
import type { BarsPanel, LinesPanel, Panel, ScatterPanel, TextPanel } from "../api/views";
import { orderMetrics } from "../chart/metric-order";
import { FieldSelect } from "../compare/field-select";
import { Checkbox, contains, Options, SearchInput, Select } from "../ui/controls";
import { Dialog } from "../ui/dialog";
import { plural } from "../ui/format";
import { FIGURES } from "../view/figures";
import { newPanel } from "./layout";

// The list shows at most so many metrics; a search finds the others.
const MAX_LISTED = 200;
const KINDS: Panel["kind"][] = ["lines", "scatter", "bars", "text"];

interface Props {
  /** Undefined for a new panel. */
  panel: Panel | undefined;
  newId: string;
  columns: Columns | undefined;
  onSave: (panel: Panel) => void;
  onClose: () => void;
}

export function PanelDialog({ panel: initial, newId, columns, onSave, onClose }: Props) {
  const choices = choicesOf(columns);
  const blank = (kind: Panel["kind"], id: string) =>
    newPanel(kind, id, choices.fields[0] ?? "duration", choices.config[0]);
  const [panel, setPanel] = useState<Panel>(initial ?? blank("lines", newId));
  const change = (part: Partial<Panel>) => setPanel({ ...panel, ...part } as Panel);
  const setKind = (kind: string) => {
    const { id, title, width, height, pinned } = panel;
    setPanel({ ...blank(kind as Panel["kind"], id), title, width, height, pinned });
  };
  const save = async () => {
    if (panel.kind === "lines" && panel.metrics.length === 0) {
      throw new Error("Select one or more metrics.");
    }
    onSave(panel);
  };
  return (
    <Dialog
      title={initial ? "Edit panel" : "Add panel"}
      action={initial ? "Apply" : "Add"}
      onConfirm={save}
      onClose={onClose}
    >
      <div class="panel-form">
        <Select label="Show" value={panel.kind} onSelect={setKind}>
          <Options values={KINDS} />
        </Select>
        <label>
          Title
          <input
            value={panel.title}
            maxLength={512}
            placeholder="as what is shown"
            onInput={(event) => change({ title: event.currentTarget.value })}
          />
        </label>
        {panel.kind === "lines" && (
          <LinesFields panel={panel} metrics={choices.metrics} onChange={change} />
        )}
        {panel.kind === "scatter" && (
          <ScatterFields panel={panel} fields={choices.fields} onChange={change} />
        )}
        {panel.kind === "bars" && (
          <BarsFields panel={panel} fields={choices.fields} onChange={change} />
        )}
        {panel.kind === "text" && <TextFields panel={panel} onChange={change} />}
      </div>
    </Dialog>
  );
}

/** The metrics that can be lines, and the fields of runs that can be an axis. */
function choicesOf(columns: Columns | undefined) {
  const numeric = (columns?.metrics ?? []).filter(
    ({ kind }) => kind === "number" || kind === "bool",
  );
  const fieldOf = new Map(numeric.map(({ path, field }) => [path, field]));
  const metrics = orderMetrics([...fieldOf.keys()]);
  const figures = metrics.flatMap((path) =>
    FIGURES.map((figure) => `${fieldOf.get(path)}.${figure}`),
  );
  const config = (columns?.config ?? []).map(({ field }) => field);
  return { metrics, config, fields: [...figures, ...config, "duration"] };
}

interface FieldsProps<P extends Panel> {
  panel: P;
  onChange: (part: Partial<P>) => void;
}

const X_PAGE = "";
const X_METRIC = "metric ";

function LinesFields({
  panel,
  metrics,
  onChange,
}: FieldsProps<LinesPanel> & { metrics: string[] }) {
  const [search, setSearch] = useState("");
  const { metrics: chosen, x, x_metric, log_y } = panel;
  // The chosen ones come first, also those that no run has any more.
  const [atFirst] = useState(chosen);
  const listed = [...new Set([...atFirst, ...metrics])].filter((path) => contains(path, search));
  const toggle = (path: string, isChosen: boolean) =>
    onChange({
      metrics: isChosen ? [...chosen, path] : chosen.filter((other) => other !== path),
    });
  const setX = (value: string) =>
    onChange(
      value.startsWith(X_METRIC)
        ? { x: "", x_metric: value.slice(X_METRIC.length) }
        : { x: value as LinesPanel["x"], x_metric: null },
    );
  const xMetrics = [...new Set([...(x_metric === null ? [] : [x_metric]), ...metrics])];
  return (
    <>
      <fieldset class="metric-list">
        <legend>{plural(chosen.length, "metric")} selected</legend>
        <SearchInput label="Search for metrics" value={search} onSearch={setSearch} />
        <div>
          {listed.slice(0, MAX_LISTED).map((path) => (
            <Checkbox
              key={path}
              checked={chosen.includes(path)}
              onChange={(isChosen) => toggle(path, isChosen)}
            >
              {path}
            </Checkbox>
          ))}
          {listed.length > MAX_LISTED && (
            <p class="faint">{plural(listed.length - MAX_LISTED, "metric")} more: search</p>
          )}
        </div>
      </fieldset>
      <Select label="X axis" value={x_metric === null ? x : X_METRIC + x_metric} onSelect={setX}>
        <option value={X_PAGE}>as the page</option>
        <Options values={["step", "relative", "time"]} />
        <optgroup label="metric">
          <Options
            values={xMetrics.map((path) => X_METRIC + path)}
            text={(value) => value.slice(X_METRIC.length)}
          />
        </optgroup>
      </Select>
      <ScaleSelect
        label="Y scale"
        automatic="as the page"
        log={log_y}
        onSelect={(log) => onChange({ log_y: log })}
      />
    </>
  );
}

interface ScaleProps {
  label: string;
  automatic: string;
  log: boolean | null;
  onSelect: (log: boolean | null) => void;
}

const ScaleSelect = ({ label, automatic, log, onSelect }: ScaleProps) => (
  <Select
    label={label}
    value={log === null ? "" : log ? "logarithmic" : "linear"}
    onSelect={(value) => onSelect(value === "" ? null : value === "logarithmic")}
  >
    <option value="">{automatic}</option>
    <Options values={["linear", "logarithmic"]} />
  </Select>
);

function ScatterFields({
  panel,
  fields,
  onChange,
}: FieldsProps<ScatterPanel> & { fields: string[] }) {
  return (
    <>
      <FieldSelect
        label="X"
        selected={panel.x}
        options={fields}
        onSelect={(x) => onChange({ x })}
      />
      <ScaleSelect
        label="X scale"
        automatic="automatic"
        log={panel.log_x}
        onSelect={(log) => onChange({ log_x: log })}
      />
      <FieldSelect
        label="Y"
        selected={panel.y}
        options={fields}
        onSelect={(y) => onChange({ y })}
      />
      <ScaleSelect
        label="Y scale"
        automatic="automatic"
        log={panel.log_y}
        onSelect={(log) => onChange({ log_y: log })}
      />
    </>
  );
}

const ORDERS = {
  runs: "as selected",
  ascending: "lowest first",
  descending: "highest first",
};

function BarsFields({ panel, fields, onChange }: FieldsProps<BarsPanel> & { fields: string[] }) {
  return (
    <>
      <FieldSelect
        label="Value"
        selected={panel.field}
        options={fields}
        onSelect={(field) => onChange({ field })}
      />
      <Select
        label="Order"
        value={panel.order}
        onSelect={(order) => onChange({ order: order as BarsPanel["order"] })}
      >
        <Options
          values={Object.keys(ORDERS)}
          text={(order) => ORDERS[order as BarsPanel["order"]]}
        />
      </Select>
    </>
  );
}

const TextFields = ({ panel, onChange }: FieldsProps<TextPanel>) => (
  <label class="text-field">
    Text
    <textarea
      rows={10}
      maxLength={20_000}
      value={panel.text}
      onInput={(event) => onChange({ text: event.currentTarget.value })}
    />
  </label>
);
