import { describe, expect, test } from "vitest";
import {
  choiceBody,
  chooseIds,
  chooseMatching,
  chosenIds,
  NO_CHOICE,
  parseChoice,
  printChoice,
  printSelection,
  withMatching,
  withoutMatching,
  withoutRuns,
  withRuns,
} from "../../src/view/choice";
import { printAddress } from "../../src/view/parsing";

const ALL = chooseMatching("");

describe("a choice", () => {
  test("is the same after it was in the address", () => {
    const choices = [
      chooseIds([]),
      chooseIds([3, 1]),
      ALL,
      { ids: [5], filters: ["a = 1", 'name ~ "x, y"'], except: [2, 3] },
      { ...chooseIds([2, 1]), isDefault: true as const },
    ];
    for (const choice of choices) {
      const params = new URLSearchParams(printAddress("", printChoice(choice)).slice(1));
      expect(parseChoice(params)).toEqual(choice);
    }
    expect(parseChoice(new URLSearchParams("project=1&except=2"))).toBeUndefined();
  });

  test("of ids is sent as ids, and of filters as one filter", () => {
    expect(choiceBody(1, chooseIds([2]))).toEqual({ run_ids: [2] });
    const choice = { ids: [5], filters: ["a = 1", "b = 2 or c = 3"], except: [7] };
    expect(choiceBody(1, choice)).toEqual({
      select: {
        project_id: 1,
        filter: "(a = 1) or (b = 2 or c = 3)",
        include: [5],
        exclude: [7],
      },
    });
  });

  test("without any run left is none: the page shows its default", () => {
    expect(printSelection(withoutRuns(chooseIds([1]), [1]))).toEqual(NO_CHOICE);
    expect(printSelection(chooseIds([1]))).toEqual(printChoice(chooseIds([1])));
    expect(printSelection(ALL)).toEqual(printChoice(ALL));
  });

  test("loses and regains runs", () => {
    const without = withoutRuns(ALL, [2, 3]);
    expect(chosenIds(without, [4, 3, 2, 1])).toEqual([4, 1]);
    const again = withRuns(without, [3]);
    expect(again).toEqual({ ...ALL, except: [2] });
    expect(chosenIds(withRuns(chooseIds([1]), [2, 1]), [])).toEqual([1, 2]);
    expect(withoutRuns(chooseIds([1, 2]), [2])).toEqual(chooseIds([1]));
  });

  test("loses and regains a group", () => {
    const group = 'group_name = "a"';
    const without = withoutMatching(ALL, group, [2]);
    expect(without.filters).toEqual([`(id > 0) and not (${group})`]);
    expect(withMatching(without, group).filters).toEqual([...without.filters, group]);
    expect(withoutMatching(withMatching(chooseIds([1, 2]), group), group, [2])).toEqual(
      chooseIds([1]),
    );
  });

  test("has all runs of a group that is chosen after some were left out", () => {
    const choice = withMatching(withoutRuns(ALL, [2, 3]), "a = 1");
    expect(choice).toEqual({
      ids: [],
      filters: ["(id > 0) and not (id = 2 or id = 3)", "a = 1"],
      except: [],
    });
  });
});
