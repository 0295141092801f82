"""Charts: series in a limited number of buckets, of one run or over the runs of groups."""
