"""`mossgen evolve`: accepted items varied, and what is benign and refused more by target models is kept.

mutators.py says how an item is varied, bandit.py which mutator is tried next, panel.py asks the targets, family.py
knows who descends from whom, search.py drives rounds of children through the stages, setup.py finds what is needed,
evolve.py makes a run of it, figures.py measures.
"""
