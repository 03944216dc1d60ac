"""`python -m mossgen` is `mossgen`."""

from mossgen.cli import main

main(prog_name="mossgen")
