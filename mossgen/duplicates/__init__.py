"""Near-duplicates: the index, the report of a set, the audit of files that train."""
