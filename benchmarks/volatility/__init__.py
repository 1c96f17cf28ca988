"""How good the volatility forecasts are, measured; each page in docs/results says by which command.

Run (`python -m benchmarks.volatility.NAME`): no name, the scores of all models on one window; `choice`, what was chosen on; `flows`, the network panel of token flows; `study`, an earlier
study's models; `prices`, what is said of the prices themselves; `verdict`, what was asked for and what came; `ship`, the models that ship. The others are their parts: `world` and
`flow_world` are data, windows and samples, `networks`, `swans`, `regimes`, `calibration` and `compare` what is measured, `page`, `flow_page`, `tables`, `pictures` and `record` how it is told.
"""
