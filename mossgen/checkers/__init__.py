"""Checkers: they decide."""
