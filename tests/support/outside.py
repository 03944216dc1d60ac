"""Packages that add to mossgen, put where Python finds them as an installer would."""

import shutil
import tomllib
from pathlib import Path

PACKAGE = Path(__file__).parent / "outside_package"


def install(folder: Path, source: Path = PACKAGE) -> Path:
    """The package of a pyproject.toml, with its metadata, into a folder for PYTHONPATH; nothing is built or fetched."""
    facts = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for package in source.iterdir():
        if (package / "__init__.py").is_file():
            shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    metadata(folder, facts["name"], facts["version"], facts["entry-points"])
    return folder


def metadata(folder: Path, name: str, version: str, points: dict[str, dict[str, str]]) -> None:
    """The .dist-info that tells Python of a package and its entry points."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    groups = ("\n".join([f"[{group}]", *(f"{k} = {v}" for k, v in named.items())]) for group, named in points.items())
    (info / "entry_points.txt").write_text("\n".join(groups) + "\n", encoding="utf-8")
