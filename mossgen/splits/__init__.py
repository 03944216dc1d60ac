"""Held-out sides that do not leak."""
