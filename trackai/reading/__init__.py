"""Reading stored runs, from a database file or a server: `trackai.Api`."""
