"""Is it benign: checkers over a set, the policy over their verdicts, harmful partners."""
