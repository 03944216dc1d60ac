"""Embedding models: pictures and texts in one space."""
