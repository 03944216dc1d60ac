"""Asks target models what a user would ask them."""
