"""Review by people: a local page or files that go out and come back, votes in the store, what they settle.

votes.py has the rules, server.py and page.py the page, report.py the figures, apply.py what the votes do to a
run; csv_votes.py, crowd.py and label_studio.py are the files.
"""
