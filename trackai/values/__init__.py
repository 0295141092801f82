"""Values, steps and times: their types, and how they are represented."""
