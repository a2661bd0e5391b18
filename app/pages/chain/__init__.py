"""The page of one chain: a waterfall of its records in causal order."""
