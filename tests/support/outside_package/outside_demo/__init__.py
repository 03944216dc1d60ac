"""Adds a checker, a target, an exporter, a type and a preset to mossgen."""
