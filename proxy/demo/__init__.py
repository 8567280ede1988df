"""What `pgveil demo` shows: a schema, an ordinary application, and the two views of its data."""
