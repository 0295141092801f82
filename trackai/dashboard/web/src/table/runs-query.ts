// What the table asks the server for.

import type { RunsQuery } from "../api/runs";
import { onShelf } from "../view/filter-text";
import { columns, filter, shelf, sortField, sortOrder } from "../view/parameters";

export const PAGE_SIZE = 100;

/**
 * A page of the runs of a project, or of one of its groups.
 *
 * `ignored` are the parameters that the server could not read.
 */
export function runsQuery(
  projectId: number,
  groupFilter: string,
  page: number,
  ignored: string[] = [],
): RunsQuery {
  const unlessIgnored = (name: string, value: string) => (ignored.includes(name) ? "" : value);
  return {
    project_id: projectId,
    filter: bothFilters(tableFilter(ignored), groupFilter),
    sort_by: unlessIgnored("sort_by", sortField.value),
    sort_order: unlessIgnored("sort_order", sortOrder.value),
    columns: unlessIgnored("columns", columns.value.join(",")),
    limit: PAGE_SIZE,
    offset: page * PAGE_SIZE,
  };
}

/** The filter of the table, without what was typed if the server could not read it. */
export const tableFilter = (ignored: string[]): string =>
  ignored.includes("filter") ? onShelf("", shelf.value) : filter.value;

export const bothFilters = (filter: string, groupFilter: string): string =>
  filter && groupFilter ? `(${filter}) and ${groupFilter}` : filter || groupFilter;

export const firstPageQuery = (projectId: number): RunsQuery => runsQuery(projectId, "", 0);
