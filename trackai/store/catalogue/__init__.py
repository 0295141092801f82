"""Projects, runs, and their configurations, tags, files and writers."""
