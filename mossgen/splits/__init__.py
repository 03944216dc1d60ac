"""Splits sets into sides that do not leak."""
