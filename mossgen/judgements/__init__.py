"""Labels responses, and computes rates from the labels."""
