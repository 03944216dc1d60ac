"""The stages of a run; each returns exactly the items it was given, in order."""
