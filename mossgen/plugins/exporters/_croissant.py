"""Croissant 1.1 (https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html) for an export's Parquet file."""

from __future__ import annotations

import datetime
from typing import Any

from pydantic import Field

from mossgen import __version__
from mossgen.plugins.exporters import _format
from mossgen.plugins.exporters._columns import COLUMNS
from mossgen.plugins.protocols import SetView

CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
_TERMS = (
    "citeAs", "column", "containedIn", "extract", "field", "fileObject", "fileProperty", "fileSet", "format",
    "includes", "isArray", "arrayShape", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path",
    "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator", "source", "subField",
    "transform",
)  # fmt: skip
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "prov": "http://www.w3.org/ns/prov#",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{term: f"cr:{term}" for term in _TERMS},
}
_LICENCES = {
    "cc-by-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "cc-by-sa-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "cc0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
}


class Options(_format.Options):
    """What the card and the Croissant description say about the data."""

    url: str = Field("https://example.org/not-published", min_length=1, description="where the set is published")
    creator: str = Field("mossgen", min_length=1, description="who publishes it")
    published: datetime.date | None = Field(None, description="the day it is published; null is today")


def describe(view: SetView, options: Options, path: str, sha256: str) -> dict[str, Any]:
    """The JSON-LD of a set with one Parquet file, at `path` relative to the JSON-LD."""
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": view.name,
        "description": "Harmless questions about pictures that look alarming, to measure over-refusal.",
        "license": _LICENCES.get(options.licence, options.licence),
        "url": options.url,
        "creator": {"@type": "sc:Organization", "name": options.creator},
        "datePublished": (options.published or datetime.date.today()).isoformat(),
        "version": "1.0.0",
        "citeAs": f"{options.creator}: {view.name}. {options.url}",
        "rai:dataCollection": "Templates plan, a language model writes, an image model draws, checks decide.",
        "rai:dataCollectionType": "Software Collection",
        "rai:dataUseCases": "Testing whether models refuse harmless requests; a test split is not for training.",
        "rai:dataLimitations": " ".join(view.notes) or "Synthetic, English; the annotations are a machine's.",
        "rai:personalSensitiveInformation": "None: any person in a picture is generated.",
        "rai:machineAnnotationTools": [f"mossgen {__version__}"],
        "prov:wasDerivedFrom": [f"{s['name']} ({s['licence'] or 'no licence stated'})" for s in view.sources],
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": "file",
                "name": "file",
                "description": "All rows, pictures inside.",
                "contentUrl": path,
                "encodingFormat": "application/x-parquet",
                "sha256": sha256,
            }
        ],
        "recordSet": [
            {"@type": "cr:RecordSet", "@id": "items", "name": "items", "description": "One a row.", "field": _fields()}
        ],
    }


def _fields() -> list[dict[str, Any]]:
    image = _field("image", "The picture, PNG.", "sc:ImageObject")
    image["source"]["transform"] = {"jsonPath": "bytes"}
    texts = [_field(name, about, "sc:Text") for name, about in COLUMNS.items()]
    for field in texts:
        if field["name"] == "tags":
            field.update(isArray=True, arrayShape="-1")
    return [image, *texts]


def _field(name: str, about: str, kind: str) -> dict[str, Any]:
    source: dict[str, Any] = {"fileObject": {"@id": "file"}, "extract": {"column": name}}
    return {
        "@type": "cr:Field",
        "@id": f"items/{name}",
        "name": name,
        "description": about,
        "dataType": kind,
        "source": source,
    }
