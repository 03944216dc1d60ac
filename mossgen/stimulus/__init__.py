"""A stimulus type: its template, its slots and the rules for its questions."""
