"""Writes runs as a database of MLflow, `mlflow.db`, with artifacts below `mlruns`.

The tables are those of MLflow 2.0. A later version adds what it needs when it opens the database.
Checked with MLflow 2.22 and 3.17.
"""
