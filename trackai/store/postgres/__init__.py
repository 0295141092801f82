"""The store on a server of PostgreSQL instead of in a file; needs the extra `postgres`."""
