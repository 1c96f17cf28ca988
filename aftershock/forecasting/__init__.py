"""Forecasts of volatility, from a user's words to a table: the prices and tables that are looked back on, who answers, what must be told beside it, and training."""
