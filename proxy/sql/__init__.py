"""SQL analysis: from a statement text to its plan. The only door to pglast."""
