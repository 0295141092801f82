"""Integrations of machine learning frameworks. Each module imports its framework."""
