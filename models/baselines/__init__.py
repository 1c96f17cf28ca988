"""Forecasters that every network is measured against: without parameters, linear, gamma, boosted trees, GARCH, stochastic volatility."""
