"""Shared basics: items and their ratings, budgets and progress. Imports only `errors` from mossgen."""
