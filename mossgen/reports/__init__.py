"""`mossgen report`: shows measurements as a page, plots and tables."""
