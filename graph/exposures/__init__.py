"""Who is exposed to what: markets, assets, holders and pools, each answer a record of tables."""
