"""Forecasting: realised variance of assets as a distribution, and networks over the protocol graph. Contagion probability is not built yet."""
