"""Charts: points of series in as many buckets as asked for."""
