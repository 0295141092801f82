"""From a call of log() to rows: the journal on disk, and the drain that stores it."""
