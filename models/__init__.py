"""Forecasting of volatility and of contagion probability. Not built yet: so far only the graph as tensors; no command or report uses it."""
