// Views: the panels of a project as users have arranged them.

import { get, request } from "./client";

interface PanelBase {
  /** Unique in the view. */
  id: string;
  /** "" for a title that follows from what is shown. */
  title: string;
  /** In twelfths of the page. */
  width: number;
  /** The height of the drawing in pixels. */
  height: number;
  pinned: boolean;
}

export interface LinesPanel extends PanelBase {
  kind: "lines";
  metrics: string[];
  /** "" for the x axis of the page. */
  x: "" | "step" | "time" | "relative";
  /** A metric as the x axis, in place of `x`. */
  x_metric: string | null;
  /** null for the y axis of the page. */
  log_y: boolean | null;
}

export interface ScatterPanel extends PanelBase {
  kind: "scatter";
  x: string;
  y: string;
  /** null for a scale that is chosen from the values. */
  log_x: boolean | null;
  log_y: boolean | null;
}

export interface BarsPanel extends PanelBase {
  kind: "bars";
  field: string;
  order: "runs" | "ascending" | "descending";
}

export interface TextPanel extends PanelBase {
  kind: "text";
  text: string;
}

export type Panel = LinesPanel | ScatterPanel | BarsPanel | TextPanel;

export interface Section {
  name: string;
  is_open: boolean;
  panels: Panel[];
}

/** The columns of the table of runs. */
export interface TableColumns {
  columns: string[];
  pinned: string[];
  /** In pixels, by column. */
  widths: Record<string, number>;
}

/** The run that others are compared with. */
export interface Baseline {
  uid: string;
  name: string;
}

/** Which runs the table shows, and in what order. */
export interface TableRows {
  filter: string;
  archived: boolean;
  /** "" for the time of creation. */
  sort_by: string;
  sort_order: "asc" | "desc";
  group_by: string;
  baseline: Baseline | null;
}

export interface Layout {
  sections: Section[];
  table?: TableColumns;
  rows?: TableRows;
}

export interface ViewSummary {
  id: number;
  project_id: number;
  name: string;
  /** The number of changes; a change names the version that it was made from. */
  version: number;
}

export interface View extends ViewSummary {
  layout: Layout;
  /** The row id of the baseline; null if it does not exist. */
  baseline_id?: number | null;
}

export const viewPath = (id: number): string => `/api/views/${id}`;

export const getView = (id: number): Promise<View> => get(viewPath(id));

export const listViews = (projectId: number): Promise<ViewSummary[]> =>
  get(`/api/projects/${projectId}/views`);

export const createView = (projectId: number, name: string, layout: unknown): Promise<View> =>
  request("POST", `/api/projects/${projectId}/views`, { name, layout });

export const replaceView = ({ id, name, layout, version }: View): Promise<View> =>
  request("PUT", viewPath(id), { name, layout, version });

export const deleteView = (id: number): Promise<unknown> => request("DELETE", viewPath(id));
