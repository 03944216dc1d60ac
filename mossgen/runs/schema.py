"""The tables of a run's database, and its format number, which differs between incompatible versions."""

from __future__ import annotations

from pathlib import Path

from mossgen.errors import ConfigError

NEW = 0  # SQLite's number for a new database
FORMAT = 10  # in PRAGMA user_version; increase it with any change to the tables or the meaning of their columns

TABLES = """
CREATE TABLE items (
    id TEXT PRIMARY KEY,
    number INTEGER NOT NULL UNIQUE,
    state TEXT NOT NULL,
    data TEXT NOT NULL,      -- canonical JSON of the item
    digest TEXT NOT NULL     -- sha256 of data: `verify` recomputes it
);
CREATE INDEX items_state ON items (state);
CREATE TABLE vectors (
    id TEXT NOT NULL REFERENCES items (id),
    channel TEXT NOT NULL,   -- text or image
    vector BLOB NOT NULL,    -- float32, unit length
    PRIMARY KEY (id, channel)
);
CREATE TABLE spent (
    stage TEXT PRIMARY KEY,
    seconds REAL NOT NULL,
    usd REAL NOT NULL
);
CREATE TABLE votes (         -- of people; only ever added to
    number INTEGER PRIMARY KEY,
    item TEXT NOT NULL REFERENCES items (id),
    reviewer TEXT NOT NULL,
    label TEXT,              -- NULL takes the earlier vote back
    flags TEXT NOT NULL,     -- JSON list
    note TEXT NOT NULL,
    at TEXT NOT NULL         -- UTC, ISO 8601
);
CREATE TABLE outputs (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    state TEXT NOT NULL,     -- of class Outputs
    manifest TEXT NOT NULL   -- sha256 of the manifest last written, empty before the first
);
INSERT INTO outputs VALUES (1, 'old', '');
"""


def refuse_other_format(found: int, folder: Path) -> None:
    """Raises ConfigError if a run's database has another format than this version writes."""
    if found != FORMAT:
        raise ConfigError(
            f"{folder} was made by another version of mossgen (its database has format {found}, this version's has "
            f"{FORMAT}): make the run again with this version, or install the one that its run.json names."
        )
