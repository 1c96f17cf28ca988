"""How protocols count: exact integer arithmetic of their contracts, as pure functions without a network."""
