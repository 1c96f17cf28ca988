"""What changed between two graphs, as tables and in words."""
