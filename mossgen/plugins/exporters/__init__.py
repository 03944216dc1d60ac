"""Exporters: files that tools read."""
