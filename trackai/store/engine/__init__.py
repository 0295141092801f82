"""SQLite: opening, migrating, transactions."""
