"""A world of real protocol contracts on a local node: what the readers and the rules are tested against."""
