"""The cascade simulator: a book, a scenario, one loop, every round kept."""
