"""What the parameters of many runs say about a metric: pure functions over columns of values."""
