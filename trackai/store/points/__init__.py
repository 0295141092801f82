"""Points: the only code that reads and writes the points of series, and what is derived from them.

A second database engine has to offer these verbs, which ingest, charts, transfer, upkeep, reading
and the API call:

    append      metrics.append, append_parts, append_new, note_own_steps
    read        reads.read, pages, read_many, count, count_up_to; tails.last_points
    curve       curves.read: whole series as columns
    buckets     bucketing.read, compute, extents; short_series.read
    extremes    extremes.find: the first NaN, infinity, minimum or maximum
    texts       texts.read, histograms.read
    figures     series.summaries, last_values, last_step; metrics.recount
    delete      rollups.delete, start_over
    follow      arrivals.last, since
    compact     rollups.next_stale, refresh

`series` and `lineage` find the series to read. The other modules are internal: `attempts`,
`duplicates` and `figures` belong to append. Rows of `metrics` and `system_steps` are also read by
`transfer.dump` and `transfer.imports`, checked by `upkeep.checks` and deleted by `upkeep.garbage`.
"""
