"""The records of an export as mlcroissant reads them: `croissant_records.py EXPORT`."""

import json
import sys

import mlcroissant

dataset = mlcroissant.Dataset(f"{sys.argv[1]}/croissant.json")
records = list(dataset.records("items"))
print(json.dumps({
    "errors": list(dataset.metadata.issues.errors),
    "questions": [record["items/question"].decode() for record in records],
    "sizes": [record["items/image"].size for record in records],
}))  # fmt: skip
