// The tabs of a run that are not shown first.

export { FilesTab } from "./files-tab";
export { HistogramsTab } from "./histograms-tab";
export { LogsTab } from "./logs-tab";
