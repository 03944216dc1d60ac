"""Reading and writing files: atomic writes, locks, size limits, tables, pictures and HTML pages."""
