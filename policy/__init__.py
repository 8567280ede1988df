"""The policy: which columns are protected, how, and what the catalogue says of them."""
