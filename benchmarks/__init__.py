"""What things cost, measured by hand."""
