"""Asking target models what a user would ask them."""
