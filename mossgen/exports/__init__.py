"""Sets as files that a trainer or a harness reads, and on their way to the Hub."""
