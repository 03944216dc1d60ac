"""Runs on disk: configuration, database and outputs."""
