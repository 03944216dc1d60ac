"""Where things lie in a checkout, and beside it."""

from pathlib import Path

SUPPORT = Path(__file__).parent
ROOT = SUPPORT.parent.parent
PACKAGE = ROOT / "mossgen"
SHARED = ROOT.parent / "shared" / "data"  # data of others, where it is at hand: tests that want it skip without
