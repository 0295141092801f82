"""Move whole runs into and out of a store."""
