"""A stimulus type: its template, its slots and the rules that its questions keep."""
