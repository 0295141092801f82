// Charts of several runs in one drawing, where their files are charts of the same kind.

import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { fileUrl } from "../api/media";
import { nameOf } from "../api/run-names";
import type { FileRecord } from "../api/types";
import { TABLE_NAME } from "../files/file-names";
import { parseTable, type TableData } from "../files/table-file";
import { chartKind } from "../plots/chart-table";
import { TableChart } from "../plots/table-chart";

// In bytes, of all runs; larger ones are shown one by one.
const MAX_SIZE = 50_000_000;

interface Props {
  files: FileRecord[];
  path: string;
  /** What some runs lack at the step. */
  notes: ComponentChildren;
  /** The files of each run, below the drawing or in place of it. */
  fallback: ComponentChildren;
}

export function ChartsOfRuns({ files, path, notes, fallback }: Props) {
  const tables = useTables(files);
  const [isOpen, setOpen] = useState(false);
  const charts = tables.filter(({ table }) => chartKind(table) !== undefined);
  const kinds = new Set(charts.map(({ table }) => chartKind(table)));
  // Several charts of one run would have the same colour.
  const runs = new Set(charts.map(({ file }) => file.run_id));
  if (runs.size < 2 || runs.size < charts.length || kinds.size !== 1) return <>{fallback}</>;
  const drawn = charts.map(({ file, table }) => ({
    run: { id: file.run_id, name: nameOf(file.run_id) },
    table,
  }));
  return (
    <>
      <section aria-label={`${path} of all runs`}>
        {notes}
        <TableChart tables={drawn} label={path} />
      </section>
      <details class="data" onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>Each run by itself</summary>
        {isOpen && fallback}
      </details>
    </>
  );
}

interface FileTable {
  file: FileRecord;
  table: TableData;
}

/** The tables in files; none while they are loading, or if they are too large. */
function useTables(files: FileRecord[]): FileTable[] {
  const [tables, setTables] = useState<FileTable[]>([]);
  const named = files.filter(({ name, size }) => size !== null && TABLE_NAME.test(name));
  const size = named.reduce((sum, file) => sum + (file.size ?? 0), 0);
  const wanted = size <= MAX_SIZE ? named : [];
  useEffect(() => {
    const stop = new AbortController();
    const load = async () => {
      const loaded = await Promise.all(wanted.map((file) => loadTable(file, stop.signal)));
      setTables(loaded.flatMap((table) => table ?? []));
    };
    // The files of each run say what is wrong with them.
    load().catch(() => stop.signal.aborted || setTables([]));
    return () => stop.abort();
  }, [wanted.map(({ id }) => id).join()]);
  return tables;
}

async function loadTable(file: FileRecord, signal: AbortSignal): Promise<FileTable | undefined> {
  const response = await fetch(fileUrl(file.id), { signal });
  const table = response.ok ? parseTable(await response.text()) : undefined;
  return table && { file, table };
}
