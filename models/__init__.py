"""Forecasting of volatility and of contagion probability. Not built yet: nothing in this package answers anything so far,
and no command or report uses it."""
