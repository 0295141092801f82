// Short titles of columns.

// Longer names are shortened to their last parts.
const MAX_LENGTH = 11;

/** A title for each field, none of them alike: the last parts of its name, and a figure. */
export function columnTitles(fields: string[]): string[] {
  let titles = fields.map((field) => shortTitle(field, 1));
  const maxParts = Math.max(...fields.map((field) => field.split("/").length));
  for (let parts = 2; parts <= maxParts + 1; parts++) {
    const before = titles;
    const isUnique = (title: string) => before.indexOf(title) === before.lastIndexOf(title);
    titles = before.map((title, index) =>
      isUnique(title) ? title : shortTitle(fields[index] as string, parts),
    );
  }
  return titles;
}

function shortTitle(field: string, parts: number): string {
  const name = field.replace(/^(config|env|metric)\./, "");
  // Only a configuration key and a metric of the same name need their prefixes.
  if (parts > field.split("/").length) return field;
  if (name.length <= MAX_LENGTH) return name;
  const figure = /^metric\..*\.(min|max|mean|last)$/.exec(field)?.[1];
  const path = figure ? name.slice(0, -figure.length - 1) : name;
  const end = path.split("/").slice(-parts).join("/");
  return figure ? `${figure} ${end}` : end;
}
