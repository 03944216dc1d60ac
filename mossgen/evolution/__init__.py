"""`mossgen evolve`: varies accepted items, and keeps those that are benign and that target models refuse more.

- mutators.py varies an item
- bandit.py chooses the next mutator
- panel.py asks the targets
- family.py records who descends from whom
- search.py drives rounds of children through the stages
- setup.py finds what is needed
- evolve.py makes the run
- figures.py measures
"""
