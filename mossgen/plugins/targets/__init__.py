"""Targets: the multimodal models that are probed."""
