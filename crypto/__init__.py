"""Keys, envelopes and the primitives they stand on."""
