"""How velocity, risk, churn and the next action follow from a score. Pure: the standard library only.

Start with `insight.py` (the decisions), then read `explanation.py` (their reasons as sentences), `model.py` (the
numbers), `summary.py` (counts over all leads) and `watch.py` (which changes a watcher wants).
"""
