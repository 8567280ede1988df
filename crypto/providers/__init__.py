"""Who holds the master key: one provider a file."""
