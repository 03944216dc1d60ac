"""`python -m mossgen.training PART [options]`: train one part of the embedded stack."""

from __future__ import annotations

import importlib
import sys

PARTS = {
    "clip": "the image side of the embedder, and its thresholds",
    "refusal": "the refusal head",
    "safety": "the text-safety head",
    "policy-figures": "no training: figures of the policy from outputs of `mossgen check`",
    "figure-boxes": "no training: where the hands of the whole figures are, for the layout",
    "t2i-vae": "the text-to-image model's autoencoder",
    "t2i-unet": "the text-to-image model's denoiser, on the autoencoder's latents",
}


def main(argv: list[str]) -> None:
    """Run the part's own `main` with what follows its name."""
    if not argv or argv[0] not in PARTS:
        print(__doc__)
        print("\n".join(f"  {name:10} {text}" for name, text in PARTS.items()))
        raise SystemExit(0 if argv[:1] in ([], ["--help"]) else 2)
    module = importlib.import_module(f"mossgen.training.{argv[0].replace('-', '_')}")
    module.main(argv[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
