"""Writes sets as files for trainers and harnesses, and uploads them to the Hub."""
