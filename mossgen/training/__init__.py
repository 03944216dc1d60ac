"""What trains the embedded models: `python -m mossgen.training PART`."""
