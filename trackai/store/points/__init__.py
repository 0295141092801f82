"""Points of series, and what is derived from them.

How points are stored is known to two modules with the same functions: `rows` for SQLite, with a row
for each point, and `pieces` for PostgreSQL, with rows of many packed points. `storage.points_of`
chooses. All others ask what it returns:

    append      metrics.append, append_parts, append_new, note_own_steps
    read        reads.read, pages, read_many, count, count_up_to; tails.last_points
    curve       curves.read: whole series as columns; read_images: as images of tables (images.copy)
    buckets     bucketing.read, compute, extents; short_series.read
    extremes    extremes.find: the first NaN, infinity, minimum or maximum
    texts       texts.read, histograms.read
    figures     series.summaries, last_values, last_step; recounts.recount; running_figures
    delete      rollups.delete, start_over
    follow      arrivals.last, since
    compact     rollups.next_stale, refresh; compaction.compact

`piece` has the format of a piece, `piece_scan` reads pieces, and `piece_inserts` stores points in
them. `series` and `lineage` find the series to read. `attempts` and `duplicates` belong to append.
"""
