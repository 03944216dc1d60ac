"""What trains the embedded models: `python -m mossgen.embedded.train PART`."""
