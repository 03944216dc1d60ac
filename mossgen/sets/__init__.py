"""Sets that exist: runs, references, exports and files of others, and where their items come from."""
