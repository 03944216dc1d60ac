"""A run on the disk: its configuration, its database, its outputs."""
