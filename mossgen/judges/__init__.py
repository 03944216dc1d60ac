"""Judges of refusals."""
