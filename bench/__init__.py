"""Side-by-side benchmarks of pgveil. They print; they assert nothing, for time is the machine's."""
