// The limits of one request for runs.

/** The most runs in one filter. */
export const MAX_RUNS = 98;
const MAX_COLUMNS = 150;
// Of all names of columns, with separators.
const MAX_CHARACTERS = 6000;

/** Fields in batches that fit into one request each; at least one batch. */
export function batchFields(fields: string[]): string[][] {
  let batch: string[] = [];
  const batches = [batch];
  let characters = 0;
  for (const field of fields) {
    if (batch.length >= MAX_COLUMNS || characters + field.length > MAX_CHARACTERS) {
      batch = [];
      batches.push(batch);
      characters = 0;
    }
    batch.push(field);
    characters += field.length + 1;
  }
  return batches;
}
