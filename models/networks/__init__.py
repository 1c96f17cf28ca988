"""Networks that forecast what a linear model leaves over. Each answers with a correction to log variance that is exactly zero before it has learnt.

`shape` (names and sizes), `layout` (which columns are a look-back sequence) and `relations` (edges as arrays) need no torch; everything else does.
"""
