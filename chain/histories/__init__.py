"""Histories: what happened over ranges of blocks, as tables that append without gaps or doubles.

`events` says how an event is written and read, one file a protocol which events matter and what rows they give, `folder` how ranges are kept,
`reading` how a folder grows.
"""
