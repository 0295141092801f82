// The runs that are chosen: some by id, and all that match a filter, without some.

import type { ChoiceBody } from "../api/types";
import { type Change, parseIds, parseList, printList } from "./parsing";

export interface Choice {
  ids: number[];
  /** Each adds all runs that match it. */
  filters: string[];
  /** The runs that are left out. */
  except: number[];
  /** Whether the page shows them until the user chooses some; nothing is done to them. */
  isDefault?: true;
}

const EVERY_RUN = "id > 0";
// Of runs that are left out within a filter; the server limits the comparisons of a filter.
const MAX_WITHIN_FILTER = 40;

/** Nothing is chosen: the page shows its default. */
export const NO_CHOICE: Change = {
  runs: undefined,
  select: undefined,
  except: undefined,
  default: undefined,
};

/** A filter that is never empty, so that a list of them can be in the address. */
export const fullFilter = (filter: string): string => filter || EVERY_RUN;

export const chooseIds = (ids: number[]): Choice => ({ ids, filters: [], except: [] });

export const chooseMatching = (filter: string): Choice => ({
  ids: [],
  filters: [fullFilter(filter)],
  except: [],
});

/** The choice in the parameters of the address; undefined if there is none. */
export function parseChoice(params: URLSearchParams): Choice | undefined {
  const filters = parseList(params.get("select"));
  const ids = parseIds(params.get("runs"));
  if (!ids && filters.length === 0) return undefined;
  const choice = { ids: ids ?? [], filters, except: parseIds(params.get("except")) ?? [] };
  return params.has("default") ? { ...choice, isDefault: true } : choice;
}

/** The parameters of a choice. */
export const printChoice = ({ ids, filters, except, isDefault }: Choice): Change => ({
  // No run at all is different from no choice.
  runs: ids.join(",") || (filters.length > 0 ? undefined : "0"),
  select: printList(filters) || undefined,
  except: (filters.length > 0 && except.join(",")) || undefined,
  default: isDefault && 1,
});

/** The parameters of a choice by the user: without any run left, the page shows its default. */
export const printSelection = (choice: Choice): Change =>
  choice.ids.length + choice.filters.length > 0 ? printChoice(choice) : NO_CHOICE;

export function choiceBody(project: number, { ids, filters, except }: Choice): ChoiceBody {
  if (filters.length === 0) return { run_ids: ids };
  const filter = anyOf(filters);
  return { select: { project_id: project, filter, include: ids, exclude: except } };
}

/** The filter of the runs that match one of several. */
export const anyOf = (filters: string[]): string =>
  filters.length === 1 ? (filters[0] as string) : filters.map((text) => `(${text})`).join(" or ");

/** The chosen runs, given the runs that match the filters. */
export const chosenIds = ({ ids, except }: Choice, matching: number[]): number[] => {
  const excluded = new Set(except);
  return [...new Set([...matching, ...ids])].filter((id) => !excluded.has(id));
};

export function withRuns(choice: Choice, ids: number[]): Choice {
  const left = new Set(choice.except);
  const added = ids.filter((id) => !left.has(id));
  return {
    ...choice,
    ids: [...new Set([...choice.ids, ...added])],
    except: choice.except.filter((id) => !ids.includes(id)),
  };
}

export function withoutRuns(choice: Choice, ids: number[]): Choice {
  const except = choice.filters.length > 0 ? [...new Set([...choice.except, ...ids])] : [];
  return { ...choice, ids: choice.ids.filter((id) => !ids.includes(id)), except };
}

/** Choose all runs that match a filter as well. */
export function withMatching(choice: Choice, filter: string): Choice {
  const filters = new Set(choice.filters);
  if (choice.except.length === 0 || choice.except.length > MAX_WITHIN_FILTER) {
    return { ...choice, filters: [...filters.add(filter)] };
  }
  // What was left out of the other filters may match this one.
  filters.delete(filter);
  const left = choice.except.map((id) => `id = ${id}`).join(" or ");
  const others = [...filters].map((other) => excluding(other, left));
  return { ...choice, filters: [...others, filter], except: [] };
}

/** Leave out all runs that match a filter, of which `members` are chosen. */
export function withoutMatching(choice: Choice, filter: string, members: number[]): Choice {
  const filters = choice.filters.includes(filter)
    ? choice.filters.filter((other) => other !== filter)
    : choice.filters.map((other) => excluding(other, filter));
  const left = new Set(members);
  return { ...choice, filters, ids: choice.ids.filter((id) => !left.has(id)) };
}

const excluding = (filter: string, excluded: string): string => `(${filter}) and not (${excluded})`;
