// Saving views with the columns and rows of the table.

import { ApiError } from "../api/client";
import { nameOf } from "../api/run-names";
import { getDetails } from "../api/runs";
import {
  type Baseline,
  createView,
  type Layout,
  replaceView,
  type TableRows,
  type View,
} from "../api/views";
import { go, NO_ROWS, params, replaceParameters, viewParameters } from "../view/address";
import { baselineId, filterText, groupBy, shelf, sortOrder } from "../view/parameters";
import { UNSET } from "../view/parsing";
import { currentColumns, hasOwnColumns, NO_CHANGES, viewTable } from "../view/table-columns";
import { drafts, MISSING, parametersOf, remember, setDraft } from "./view-state";

async function currentBaseline(before: Baseline | null): Promise<Baseline | null> {
  const id = baselineId.peek();
  // One that was not found is kept: another database may have it.
  if (id === undefined) return params.peek().get("base")?.startsWith(MISSING) ? before : null;
  try {
    const { uid } = await getDetails(id);
    return { uid, name: nameOf(id) };
  } catch (problem) {
    if (problem instanceof ApiError && problem.status === 404) return null;
    throw problem;
  }
}

/** The layout with the rows of the table, and with its columns if the address has changed them. */
export async function withTable(layout: Layout): Promise<Layout> {
  const sort = params.peek().get("sort") ?? "";
  const rows: TableRows = {
    filter: filterText.peek(),
    archived: shelf.peek() === "archived",
    sort_by: sort === UNSET ? "" : sort,
    sort_order: sortOrder.peek() === "asc" ? "asc" : "desc",
    group_by: groupBy.peek(),
    baseline: await currentBaseline(layout.rows?.baseline ?? null),
  };
  return { ...layout, rows, ...(hasOwnColumns.peek() && { table: currentColumns() }) };
}

/** Leave the columns and rows of the table to a view that has them. */
function leaveToView({ id, layout }: View) {
  const { show, ...others } = NO_ROWS;
  const rows = shelf.peek() === "trash" ? others : { ...others, show };
  return { panels: id, ...NO_CHANGES, ...(layout.rows && rows) };
}

/** Save the changes of a view; throws if someone else has changed it. */
export async function saveDraft(draft: View): Promise<void> {
  const view = await replaceView({ ...draft, layout: await withTable(draft.layout) });
  viewTable.value = view.layout.table;
  viewParameters.value = parametersOf(view);
  replaceParameters(leaveToView(view));
  remember(view);
  // What was changed while it was being saved is kept.
  const latest = drafts.peek().get(view.id);
  setDraft(view.id, latest === draft ? undefined : latest && { ...latest, version: view.version });
}

/** Create a view and show it. */
export async function createAndShow(
  projectId: number,
  name: string,
  layout: unknown,
): Promise<View> {
  const view = await createView(projectId, name, layout);
  remember(view);
  // The table keeps its rows.
  viewParameters.value = parametersOf(view);
  go({ ...leaveToView(view), closed: undefined, full: undefined });
  return view;
}
