"""`mossgen report`: what was measured, as a page, plots and tables."""
