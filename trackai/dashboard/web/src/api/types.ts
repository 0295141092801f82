// What the HTTP API returns.

export type State = "running" | "completed" | "failed";
/** A number of any size: an integer that a float cannot hold is a bigint. */
export type AnyNumber = number | bigint;
export type Value = AnyNumber | string | boolean | null;
export type XAxis = "step" | "time" | "relative";

export interface Range {
  min: number;
  max: number;
}

export interface Project {
  id: number;
  name: string;
  project_id: string;
  created_at: string;
  updated_at: string;
}

export interface ProjectSummary extends Project {
  total_runs: number;
  running_runs: number;
  completed_runs: number;
  failed_runs: number;
  archived_runs?: number;
  trashed_runs?: number;
}

export interface Run {
  id: number;
  project_id: number;
  run_id: string;
  name: string | null;
  group_name: string | null;
  state: State;
  created_at: string;
  updated_at: string;
  finished_at: string | null;
  notes: string | null;
  tags: string[];
  archived_at?: string | null;
  trashed_at?: string | null;
  values?: Record<string, Value>;
  /** Facts about where the latest attempt runs, if it has recorded any. */
  environment?: Record<string, unknown>;
}

export interface RunList {
  runs: Run[];
  total: number;
  has_more: boolean;
  next_cursor?: string | null;
}

/** Runs for a request: a few by id, or all that match a filter. */
export type ChoiceBody =
  | { run_ids: number[] }
  | { select: { project_id: number; filter: string; include: number[]; exclude: number[] } };

/** How far a change of many runs has got. */
export interface BulkProgress {
  changed: number;
  remaining: number;
  bytes: number;
  /** Of the runs that were archived or trashed, or taken back. */
  run_ids?: number[];
  /** For the next step; null after the last one. */
  cursor: number | null;
}

/** The value of a field that groups share, or the values of several. */
export type GroupValue = Value | Value[];

export interface RunGroup {
  value: GroupValue;
  runs: number;
  filter: string;
  means: Record<string, number | null>;
}

export interface ConfigColumn {
  key: string;
  field: string;
  runs: number;
}

export interface MetricColumn {
  path: string;
  field: string;
  runs: number;
  kind: string;
}

export interface Columns {
  config: ConfigColumn[];
  metrics: MetricColumn[];
  environment: ConfigColumn[];
}

export interface Figures {
  path: string;
  axis: "step" | "time";
  kind: string;
  points: number;
  nan_points: number;
  last: Value;
  last_step: AnyNumber | null;
  min: AnyNumber | null;
  min_step: AnyNumber | null;
  max: AnyNumber | null;
  max_step: AnyNumber | null;
  mean: number | null;
}

export interface Bucket {
  step: AnyNumber | null;
  step_last: AnyNumber | null;
  count: number;
  non_finite: number;
  first: Value;
  last: Value;
  min?: AnyNumber | null;
  max?: AnyNumber | null;
  mean?: number | null;
  smoothed?: number | null;
  x?: number | string;
  x_last?: number | string;
}

export interface RunChart {
  data: Bucket[];
  raw: boolean;
  x: XAxis;
  /** Present in smoothed charts. */
  smoothed_within?: number;
}

/** A chart as it is sent: without the buckets that the client has. */
export interface ChartDelta {
  /** Names the buckets of the chart for the next request. */
  version?: string;
  /** How many buckets of the chart that the client has remain. */
  kept?: number;
  /** The smoothed values of all buckets. */
  smoothed?: (number | null)[];
}

export interface GroupBucket {
  step: AnyNumber | null;
  step_last: AnyNumber | null;
  runs: number;
  non_finite: number;
  mean: number | null;
  std: number | null;
  min: AnyNumber | null;
  max: AnyNumber | null;
  x?: number;
  x_last?: number;
  smoothed?: number | null;
  median?: number | null;
  low_quartile?: number | null;
  high_quartile?: number | null;
}

export interface GroupChart {
  data: GroupBucket[];
  raw: boolean;
  x: XAxis;
  runs: number;
}

export interface GroupMembers {
  value: GroupValue;
  run_ids: number[];
}

export interface Group {
  value: GroupValue;
  runs: number;
  metrics: Record<string, GroupChart>;
}

export interface Fork {
  uid: string;
  step: AnyNumber | null;
  run: Run | null;
}

export interface Process {
  attempt: number;
  rank: number;
  host: string;
  pid: number;
  state: State | null;
  started_at: string;
  ended_at: string | null;
  /** The name of the key with which it logs to the server. */
  key: string | null;
}

export interface RunDetails {
  uid: string;
  forked_from: Fork | null;
  forks: Fork[];
  processes: Process[];
}

export interface LogLine {
  number: number;
  step: AnyNumber | null;
  timestamp: string;
  text: string;
  /** The latest step that the run had logged when the line was printed, if it was asked for. */
  run_step: AnyNumber | null;
}

export interface LogPage {
  lines: LogLine[];
  total: number;
}

export interface Histogram {
  step: AnyNumber | null;
  timestamp: string;
  value: unknown;
}

export interface FilePath {
  path: string;
  kind: string;
  files: number;
  size: number | null;
  first_step: AnyNumber | null;
  last_step: AnyNumber | null;
}

export interface FileRecord {
  id: number;
  run_id: number;
  path: string;
  kind: string;
  name: string;
  step: AnyNumber | null;
  timestamp: string | null;
  size: number | null;
}

export interface SharedFilePath {
  path: string;
  runs: number;
  files: number;
  /** The name of one of the files. */
  name: string;
  first_step: AnyNumber | null;
  last_step: AnyNumber | null;
}

export interface SharedFilePaths {
  paths: SharedFilePath[];
  has_more: boolean;
}

export interface FileSteps {
  steps: AnyNumber[];
  total: number;
}

/** The files of a run at one step; none if its first are at a later step. */
export interface FilesOfRun {
  run_id: number;
  first_step: AnyNumber | null;
  total: number;
  files: FileRecord[];
}

export interface PointPage {
  data: { step: number | null; timestamp: string | null; value: Value }[];
  has_more: boolean;
  next_cursor?: string;
}

export interface Alert {
  level: string;
  title: string;
  text: string | null;
  /** Whether the title or the text is longer than what is here. */
  is_cut: boolean;
  step: AnyNumber | null;
  timestamp: string;
  run_id: number;
  run: string;
  project_id: number;
  project: string;
}

export interface AlertPage {
  alerts: Alert[];
  total: number;
  /** How many alerts of archived runs are left out, and of how many runs. */
  archived: number;
  archived_runs: number;
}

export type HitKind = "project" | "run" | "metric" | "config" | "tag" | "file" | "view";

export interface SearchHit {
  kind: HitKind;
  name: string;
  project_id: number;
  project: string;
  run_id: number | null;
  view_id: number | null;
  /** A configuration key or a metric as it is written in lists of columns. */
  field: string | null;
  is_archived: boolean;
}
