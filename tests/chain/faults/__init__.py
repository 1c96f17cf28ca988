"""A bad connection, by seed: a proxy between reader and node, the faults it knows, and the verdict on one reading."""
