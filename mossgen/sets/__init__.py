"""Reading existing sets (runs, references, exports, files of others) and the sources of their items."""
