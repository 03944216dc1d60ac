"""The embedded stack: our own models, their weights, and the scripts that train them."""
