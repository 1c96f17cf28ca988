"""Recorded answers of contracts whose bytecode no package carries, and the recipes that recorded them."""
