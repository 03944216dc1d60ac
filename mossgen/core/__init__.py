"""The ground: items and what they are called, money and progress. Imports nothing of ours but errors."""
