"""Review by people: a local page or exchanged files, votes in the store, and the decisions from them.

votes.py has the rules, server.py and page.py the page, report.py the figures. apply.py applies the votes to a run.
csv_votes.py, crowd.py and label_studio.py are the files.
"""
