// A flat configuration as nested objects.

type Tree = Record<string, unknown>;

// Without a prototype, "__proto__" is a key like any other.
const emptyTree = (): Tree => Object.create(null);

/** `opt/lr` becomes `lr` of `opt`, unless there is a key `opt`: then it stays flat. */
export function nestConfig(entries: [string, unknown][]): Tree {
  const root = emptyTree();
  const keys = new Set(entries.map(([key]) => key));
  for (const [key, value] of entries) {
    const parts = key.split("/");
    const hasPrefix = parts.some((_, end) => end > 0 && keys.has(parts.slice(0, end).join("/")));
    if (hasPrefix) {
      root[key] = value;
      continue;
    }
    let tree = root;
    for (const part of parts.slice(0, -1)) {
      tree[part] ??= emptyTree();
      tree = tree[part] as Tree;
    }
    tree[parts.at(-1) as string] = value;
  }
  return root;
}
