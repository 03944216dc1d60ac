"""The seeds of an export as PyRIT loads them: `pyrit_seeds.py FILE.yaml`."""

import json
import sys

from pyrit.models import SeedDataset

dataset = SeedDataset.from_yaml_file(sys.argv[1])
print(json.dumps({"values": [seed.value for seed in dataset.seeds], "groups": len(dataset.seed_groups)}))
