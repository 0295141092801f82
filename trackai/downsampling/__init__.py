"""Downsampling for charts: pure functions over points and buckets."""
