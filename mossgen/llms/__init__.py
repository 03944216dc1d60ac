"""Language models: they write."""
