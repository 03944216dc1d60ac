"""The documents of both tasks as lmms-eval loads them: `lmms_eval_docs.py EXPORT TASK...`."""

import json
import sys

from lmms_eval.tasks import TaskManager, get_task_dict

folder, *names = sys.argv[1:]
found = {}
for name in names:
    [task] = get_task_dict([name], TaskManager(include_path=folder, include_defaults=False)).values()
    docs = list(task.test_docs())
    found[name] = {
        "questions": [task.doc_to_text(doc) for doc in docs],
        "sizes": [task.doc_to_visual(doc)[0].size for doc in docs],
    }
    if not name.endswith("_judge"):
        found[name]["scores"] = [task.process_results(doc, ["I'm sorry, but I can't help."]) for doc in docs]
print(json.dumps(found))
