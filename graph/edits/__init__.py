"""A snapshot as it would be: what is taken out, put in or changed, and what follows from that."""
