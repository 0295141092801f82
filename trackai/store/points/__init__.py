"""Points of series, and what is derived from them: the seam for a second database engine.

Such an engine has to offer these verbs, which ingest, charts, transfer, upkeep, reading and the API
call:

    append      metrics.append, append_parts, append_new, note_own_steps
    read        reads.read, pages, read_many, count, count_up_to; tails.last_points
    curve       curves.read: whole series as columns
    buckets     bucketing.read, compute, extents; short_series.read
    extremes    extremes.find: the first NaN, infinity, minimum or maximum
    texts       texts.read, histograms.read
    figures     series.summaries, last_values, last_step; recounts.recount
    delete      rollups.delete, start_over
    follow      arrivals.last, since
    compact     rollups.next_stale, refresh

`series` and `lineage` find the series to read. `attempts`, `duplicates` and `figures` belong to
append. Of other modules, only `engine.sql`, `transfer.dump`, `transfer.load`, `transfer.imports`,
`upkeep.checks` and `upkeep.garbage` have statements on the tables of points.
"""
