"""The typed records that travel between the store, the SDK and HTTP."""
