"""What tests ask of a picture's file."""

from pathlib import Path

from PIL import Image


def size(path: str | Path) -> tuple[int, int]:
    """Its width and height."""
    with Image.open(path) as picture:
        return picture.size
