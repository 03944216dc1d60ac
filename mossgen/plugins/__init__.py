"""Plugins, which other packages can add: the Protocols, the registry, and one folder per kind."""
