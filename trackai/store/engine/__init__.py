"""SQLite: connections, migrations, transactions, write-ahead log."""
