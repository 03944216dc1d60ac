"""Near-duplicates: the index, the report on a set, and the audit of training data."""
