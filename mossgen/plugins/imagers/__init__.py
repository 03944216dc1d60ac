"""Image models: they draw."""
