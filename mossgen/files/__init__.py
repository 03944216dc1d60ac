"""Files of every kind: written whole, locked, read with a limit; tables, pictures, pages."""
