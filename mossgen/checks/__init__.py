"""Checks whether items are benign: runs checkers, applies the policy to their verdicts, makes harmful partners."""
