"""What values, steps and times are, and how they are written."""
