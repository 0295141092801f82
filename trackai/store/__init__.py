"""The SQLite database: all SQL lives here and in the migrations."""
