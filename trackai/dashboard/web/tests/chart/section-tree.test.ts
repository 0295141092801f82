import { describe, expect, test } from "vitest";
import { openSections, type Section, sectionTree } from "../../src/chart/section-tree";

const names = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, number) => `${prefix}${number}`);
const blocks = (prefix: string, count: number, each: number): string[] =>
  names(prefix, count).flatMap((block) => names(`${block}/m`, each));

/** The names and counts of sections, and those within them. */
const outline = (sections: Section[]): unknown[] =>
  sections.map(({ name, count, sections: inner }) =>
    inner.length > 0 ? [name, count, outline(inner)] : [name, count],
  );

describe("sectionTree", () => {
  test("does not divide small sections", () => {
    const tree = sectionTree(["loss", "train/a/x", "train/a/y", "train/b/x"]);
    expect(outline(tree)).toEqual([
      ["metrics", 1],
      ["train", 3],
    ]);
    expect(tree.map(({ key }) => key)).toEqual([".", "train"]);
  });

  test("divides large sections by the next part of the names", () => {
    const [train] = sectionTree(["train/loss", ...blocks("train/layer", 3, 10)]);
    expect(train?.paths).toEqual(["train/loss"]);
    expect(outline(train?.sections ?? [])).toEqual([
      ["layer0", 10],
      ["layer1", 10],
      ["layer2", 10],
    ]);
    expect(train?.sections[1]).toMatchObject({ key: "train/layer1", depth: 1 });
  });

  test("skips parts that all names share", () => {
    const [model] = sectionTree(blocks("model/encoder/layers/", 3, 10));
    expect(model?.sections.map(({ key, name }) => [key, name])).toEqual([
      ["model/encoder/layers/0", "encoder/layers/0"],
      ["model/encoder/layers/1", "encoder/layers/1"],
      ["model/encoder/layers/2", "encoder/layers/2"],
    ]);
  });

  test("divides again, and leaves metrics together that would each have a section", () => {
    expect(outline(sectionTree(blocks("a/b/", 2, 30)))).toEqual([
      [
        "a",
        60,
        [
          ["b/0", 30],
          ["b/1", 30],
        ],
      ],
    ]);
    expect(outline(sectionTree(blocks("a/", 30, 1)))).toEqual([["a", 30]]);
    expect(outline(sectionTree(names("a/", 5000)))).toEqual([["a", 5000]]);
  });

  test("every metric is in one section", () => {
    const paths = ["loss", ...blocks("x", 40, 3), ...blocks("deep/er/", 9, 70)];
    const all = (sections: Section[]): string[] =>
      sections.flatMap((section) => [...section.paths, ...all(section.sections)]);
    expect(all(sectionTree(paths)).sort()).toEqual([...paths].sort());
  });

  test("many sections are closed but for the first", () => {
    const open = (paths: string[]) => sectionTree(paths).filter(({ isOpen }) => isOpen).length;
    expect(open(blocks("block", 12, 100))).toBe(12);
    expect(open(blocks("block", 13, 100))).toBe(1);
    expect(open(blocks("block", 60, 2))).toBe(60);
    const [only] = sectionTree(blocks("net/layer", 500, 10));
    expect(only?.isOpen).toBe(true);
    expect(only?.sections.filter(({ isOpen }) => isOpen)).toHaveLength(1);
  });
});

test("openSections leaves out what is within closed sections", () => {
  const tree = sectionTree(blocks("net/layer", 3, 10));
  const keys = (isOpen: (section: Section) => boolean) =>
    openSections(tree, isOpen).map(({ section }) => section.key);
  expect(keys(() => true)).toEqual(["net", "net/layer0", "net/layer1", "net/layer2"]);
  expect(keys(() => false)).toEqual(["net"]);
});
